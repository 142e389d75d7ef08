// AUTH and HELLO: who the client is, and which protocol it speaks. Private to redis_local; pure, on
// the thread of the session whose state the request names.
#pragma once

#include "proxy/downstream/redis_local_request.h"

namespace weir {

// Checks the password against the pool's. As in redis, a wrong one leaves a session
// authenticated that was; twemproxy would take that back.
void AnswerAuth(const LocalRequest& request);

// A HELLO with an error changes nothing, save that a password in it is judged as AUTH's is once the
// rest is well-formed.
void AnswerHello(const LocalRequest& request);

}  // namespace weir
