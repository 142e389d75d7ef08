// Messages as gRPC carries them. Pure; any thread.
#pragma once

#include "controlplane/stream/discovery_stream.h"
#include "google/protobuf/message_lite.h"
#include "grpcpp/support/byte_buffer.h"

namespace weir {

// The encoded response. Its resources' bytes are lent by the cache, not copied: the buffer holds
// them alive.
grpc::ByteBuffer ToByteBuffer(const OutgoingResponse& response);

// False: `buffer` holds no such message. Leaves `buffer` empty.
bool ParseByteBuffer(grpc::ByteBuffer* buffer, google::protobuf::MessageLite& message);

}  // namespace weir
