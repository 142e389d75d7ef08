// The order of the states of one resource: what keeps a control plane that is behind (stopped for a
// while, restored from a backup) from taking a proxy back.
//
// Of one uid the generation decides. A pool that was deleted and created again has another uid, and
// uids have no order of their own: there the moment `created` decides, which a control plane makes
// later than that of every pool of this name that it remembers. A removal is a state like others:
// that of a deleted pool is above its last generation, that of a pool which a proxy is not to have
// (another fleet) is the pool's own.
//
// Pure functions, callable from any thread.
#pragma once

#include <tuple>

#include "google/protobuf/timestamp.pb.h"

namespace weir {

// Whether `a` is an older state than `b`, which is of the same name. Both are Resource or
// RemovedResource messages. False when nobody knows: of two uids, one without `created`.
template <typename A, typename B>
bool IsOlder(const A& a, const B& b) {
  if (a.uid() == b.uid()) return a.generation() < b.generation();
  if (!a.has_created() || !b.has_created()) return false;
  const auto moment = [](const google::protobuf::Timestamp& time) {
    return std::tuple(time.seconds(), time.nanos());
  };
  return moment(a.created()) < moment(b.created());
}

}  // namespace weir
