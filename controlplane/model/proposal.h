// From new content of a pool to the Change: what all functions that change a pool have in common.
// Behind pool_changes.h, shard_changes.h and version_changes.h.
#pragma once

#include <optional>
#include <string>

#include "controlplane/model/change.h"
#include "controlplane/model/merge.h"
#include "controlplane/model/request_log.h"

namespace weir {

// What a request says of itself, besides its content.
struct RequestTerms {
  v1::ChangeOptions options;
  std::string fingerprint;  // RequestFingerprint
  bool needs_etag = true;   // or `force`
};

template <typename Request>
RequestTerms TermsOf(const Request& request) {
  return {.options = request.options(), .fingerprint = RequestFingerprint(request)};
}

// The answer to a request that can be answered without looking at its content: the options are
// wrong, the pool is missing, the request was made before, the etag is not the pool's. Else
// nothing.
std::optional<ChangeResult> AnswerEarly(const v1::PoolRecord* record, const std::string& name,
                                        const RequestTerms& terms);

// A pool's new content, before anybody has looked at what it means.
struct Proposal {
  v1::PoolSpec spec;
  Slots slots;
  // The spec was written, not only the slots: what is in force, declared again, takes back another
  // declaration that is held.
  bool declares = false;
};

// Plans the change of `before` to `proposal`, asks the guard and makes the Change: applied, held,
// or nothing. New slots without an address come to wait for one (pending.h); the plan counts them.
// Both generations rise as far as their part changed. A change that is applied drops the one that
// was held, whose base is gone; the plan's lines say so. REQUIRES: the content is valid;
// AnswerEarly had no answer. FAILED_PRECONDITION: no shard would be on the ring any more, or there
// would be more than kMaxServers (proxy/config/pool_limits.h).
ChangeResult Propose(const v1::PoolRecord& before, Proposal proposal, const RequestTerms& terms,
                     const ChangeContext& context);

// What no pool may become, whoever asks and approves, because proxies would refuse it: see Propose.
std::optional<ChangeError> CheckSlots(const v1::PoolRecord& before, const Slots& slots);

// The slots in force, of which some have come to the ring: a change that asks no guard. A change
// that is held goes on being held, with a plan from the new base.
Change PutOnRing(const v1::PoolRecord& before, Slots slots, const ChangeContext& context);

// The second half of Propose: puts `content` in force with its plan.
Change ApplyContent(const v1::PoolRecord& before, v1::HeldContent content, v1::Plan plan,
                    const ChangeContext& context);

// Remembers the request with its answer, if it has an id; for `validate_only` takes all writing
// back. Every Change goes through it last, Propose's have.
Change Finish(Change change, const RequestTerms& terms);

}  // namespace weir
