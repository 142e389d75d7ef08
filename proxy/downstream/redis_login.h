// AUTH and HELLO: who the client is, and which protocol it speaks. Private to redis_local.
#pragma once

#include "proxy/downstream/redis_local_request.h"

namespace weir {

// Checks the password against the pool's. A wrong one takes back what an earlier one gave, as in
// twemproxy; redis would leave the session authenticated.
void AnswerAuth(const LocalRequest& request);

// A HELLO with an error changes nothing, save that a password in it is judged as AUTH's is once the
// rest is well-formed.
void AnswerHello(const LocalRequest& request);

}  // namespace weir
