// Merger: the replies of a split request's fragments → one reply. Pure; on the thread that owns the
// chunks.
#pragma once

#include <string>

#include "proxy/base/byte_queue.h"
#include "proxy/request/request.h"

namespace weir {

// Appends the merged reply of `split`, all of whose fragments have replied or failed (a failed one
// has the encoded error as its reply), to `out`. `partial_elements`: an error takes the place of
// each value that is missing (the pool's partial_mget: elements); otherwise the first error is the
// reply. A fragment whose reply is not what the merge expects makes the whole an error.
void MergeReplies(const Split& split, bool partial_elements, ChunkPool& chunks, ByteQueue* out);

}  // namespace weir
