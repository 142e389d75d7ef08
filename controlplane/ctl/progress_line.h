// ProgressLine: how many proxies hold what is meant for them, while a change waits for all.
//
// A line on a terminal, written over every quarter of a second and wiped at the end; it appears
// when a change takes longer than that. Has a thread of its own from constructor to destructor,
// which alone writes to the stream in that time.
#pragma once

#include <ostream>
#include <stop_token>
#include <string>
#include <thread>

#include "controlplane/ctl/admin_client.h"

namespace weir {

class ProgressLine {
 public:
  // Both outlive it.
  ProgressLine(const AdminClient& client, std::string pool, std::ostream& terminal);
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

 private:
  void Run(const std::stop_token& stop);

  const AdminClient& client_;
  const std::string pool_;
  std::ostream& terminal_;
  std::jthread thread_;  // last: it uses the others
};

}  // namespace weir
