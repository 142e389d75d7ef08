// The canonical encoding of messages, and the hashes made of it: versions of resources,
// fingerprints of requests, ids of plans.
//
// Protobuf's own serialisation promises no fixed bytes; these are fixed, and a test pins them:
// changing them would send every resource to every proxy again. Pure, any thread.
#pragma once

#include <string>
#include <string_view>

#include "google/protobuf/message.h"

namespace weir {

// Fields that are set, by ascending number, each with its number and kind; numbers as 8 bytes,
// texts and messages behind their length; the elements of a repeated field sorted, so that their
// order makes no difference. A plain field that has its default value counts as not set. Unknown
// fields are left out. REQUIRES: no maps and no groups in the message's type.
std::string CanonicalEncoding(const google::protobuf::Message& message);

// The first 16 hex digits of SHA-256 over `bytes`.
std::string ShortHash(std::string_view bytes);

// ShortHash of the canonical encoding: the version of a resource with this body.
std::string ContentVersion(const google::protobuf::Message& message);

}  // namespace weir
