// ControlTurns: whose turn it is among the control planes. One is given as "host:port"; where the
// host is a name, each of its addresses is a control plane of its own, in random order, so that a
// fleet spreads over them.
//
//   control() -> SetAddresses -> address() -> Advance -> address() -> ... -> the next control()
//
// The addresses of a control are asked for anew whenever its turn comes. A plain value; not
// thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace weir {

class ControlTurns {
 public:
  // REQUIRES: `controls` is not empty. They are tried in this order.
  ControlTurns(std::vector<std::string> controls, uint64_t seed);

  // As it was given.
  const std::string& control() const { return controls_[next_control_]; }
  // Where it is tried; empty: SetAddresses is to be called first, or Advance when there are none.
  const std::string& address() const;

  // Of control(), in any order. What was left last comes last: a stream that ended for its age
  // moves where it can. REQUIRES: address() is empty.
  void SetAddresses(std::vector<std::string> addresses);

  // The attempt at address(), or to find one, is over: on to the next. True when that is to be
  // tried at once, as always after one that `served`; false when all were tried since.
  [[nodiscard]] bool Advance(bool served);

 private:
  const std::vector<std::string> controls_;
  std::mt19937 random_;
  size_t next_control_ = 0;
  size_t failed_controls_ = 0;          // one after the other, since one served
  std::vector<std::string> addresses_;  // of control(), what is left of them; the last one is next
  std::string left_;
};

}  // namespace weir
