// Tells the thread sanitizer what orders the threads of gRPC; linked into every program that uses
// it, under --config=tsan alone.
//
// Debian's libraries are not instrumented: the sanitizer sees neither their mutexes (Abseil's, made
// of atomics and futexes) nor their queues, and would take each callback for a race with the call
// that asked for it. The functions below take the place of the libraries' own, which are reached
// through the dynamic linker, do the same, and add the edges that are there in truth:
//
//   absl::Mutex, absl::CondVar       unlock -> lock
//   tag of a batch, of a new call    start -> callback, or its return from a completion queue
//   references of a server's call    its reactor's constructor -> OnCancel; OnCancel, any
//                                    reaction -> OnDone
//   calls                            end of each, OnDone included -> end of the server
//
// Code of ours gets no other order from here, and no report is withheld for a function of ours: see
// the suppressions at the end. Where a new version of a library renames one of the functions, Next
// fails, or its edge is missing and false races appear.
#include <dlfcn.h>
#include <sanitizer/tsan_interface.h>

#include <cstddef>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "grpc/grpc.h"
#include "grpcpp/support/callback_common.h"
#include "grpcpp/support/server_callback.h"
#include "proxy/base/check.h"

namespace {

// The library's own function.
template <typename Function>
Function* Next(const char* mangled_name) {
  void* const found = dlsym(RTLD_NEXT, mangled_name);
  CHECK(found != nullptr);
  return reinterpret_cast<Function*>(found);
}

}  // namespace

// --- mutexes ---

namespace absl {

void Mutex::Lock() {
  static const auto lock = Next<void(Mutex*)>("_ZN4absl7debian35Mutex4LockEv");
  lock(this);
  __tsan_acquire(this);
}

bool Mutex::TryLock() {
  static const auto try_lock = Next<bool(Mutex*)>("_ZN4absl7debian35Mutex7TryLockEv");
  const bool locked = try_lock(this);
  if (locked) __tsan_acquire(this);
  return locked;
}

void Mutex::Unlock() {
  static const auto unlock = Next<void(Mutex*)>("_ZN4absl7debian35Mutex6UnlockEv");
  __tsan_release(this);
  unlock(this);
}

void CondVar::Wait(Mutex* mutex) {
  static const auto wait =
      Next<void(CondVar*, Mutex*)>("_ZN4absl7debian37CondVar4WaitEPNS0_5MutexE");
  __tsan_release(mutex);
  wait(this, mutex);
  __tsan_acquire(mutex);
}

bool CondVar::WaitWithTimeout(Mutex* mutex, Duration timeout) {
  static const auto wait = Next<bool(CondVar*, Mutex*, Duration)>(
      "_ZN4absl7debian37CondVar15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE");
  __tsan_release(mutex);
  const bool timed_out = wait(this, mutex, timeout);
  __tsan_acquire(mutex);
  return timed_out;
}

}  // namespace absl

// --- a server's calls: the library counts references in code of its own, which is not seen, and in
// code of its headers, which is ---

namespace grpc::internal {
namespace {

// Passes OnCancel on, and lets go of a reference as the sanitizer should see it.
class CancelledReactor final : public ServerReactor {
 public:
  CancelledReactor(ServerReactor& reactor, void* references)
      : reactor_(reactor), references_(references) {}
  void OnDone() override {}
  void OnCancel() override {
    reactor_.OnCancel();
    __tsan_release(references_);
    delete this;
  }

 private:
  ServerReactor& reactor_;
  void* const references_;
};

}  // namespace

// The last reference has gone.
void ServerCallbackCall::ScheduleOnDone(bool inline_ondone) {
  static const auto schedule = Next<void(ServerCallbackCall*, bool)>(
      "_ZN4grpc8internal18ServerCallbackCall14ScheduleOnDoneEb");
  __tsan_acquire(&callbacks_outstanding_);
  schedule(this, inline_ondone);
}

void ServerCallbackCall::CallOnCancel(ServerReactor* reactor) {
  static const auto call = Next<void(ServerCallbackCall*, ServerReactor*)>(
      "_ZN4grpc8internal18ServerCallbackCall12CallOnCancelEPNS0_13ServerReactorE");
  __tsan_acquire(&on_cancel_conditions_remaining_);
  call(this, reactor->InternalInlineable()
                 ? reactor
                 : new CancelledReactor(*reactor, &callbacks_outstanding_));
}

}  // namespace grpc::internal

// --- a server, which ends when no call is left ---

namespace {
char last_of_calls;  // its address stands for that
}

extern "C" {

void grpc_call_unref(grpc_call* call) {
  static const auto unref = Next<decltype(grpc_call_unref)>("grpc_call_unref");
  __tsan_release(&last_of_calls);
  unref(call);
}

void grpc_server_destroy(grpc_server* server) {
  static const auto destroy = Next<decltype(grpc_server_destroy)>("grpc_server_destroy");
  destroy(server);
  __tsan_acquire(&last_of_calls);
}

}  // extern "C"

// --- tags ---

namespace weir {
namespace {

using Functor = grpc_completion_queue_functor;
using RunFunctor = void (*)(Functor*, int);
using grpc::internal::CallbackWithStatusTag;
using grpc::internal::CallbackWithSuccessTag;

// What such a tag has gRPC run. It is private there, which an explicit instantiation may name.
RunFunctor OriginalRun(CallbackWithStatusTag*);
RunFunctor OriginalRun(CallbackWithSuccessTag*);

template <typename Tag, RunFunctor run>
struct PrivateRun {
  friend RunFunctor OriginalRun(Tag*) { return run; }
};
template struct PrivateRun<CallbackWithStatusTag, &CallbackWithStatusTag::StaticRun>;
template struct PrivateRun<CallbackWithSuccessTag, &CallbackWithSuccessTag::StaticRun>;

template <typename Tag>
void RunAfterStart(Functor* functor, int ok) {
  __tsan_acquire(functor);
  OriginalRun(static_cast<Tag*>(nullptr))(functor, ok);
}

template <typename Tag>
void HookRun(Functor& functor) {
  if (functor.functor_run == OriginalRun(static_cast<Tag*>(nullptr))) {
    functor.functor_run = RunAfterStart<Tag>;
  }
}

// `tag` is a functor, or an object with virtual functions: its first word tells.
void OnBatchStarted(void* tag) {
  auto& functor = *static_cast<Functor*>(tag);
  HookRun<CallbackWithStatusTag>(functor);
  HookRun<CallbackWithSuccessTag>(functor);
  __tsan_release(tag);
}

grpc_event AfterStart(const grpc_event& event) {
  if (event.type == GRPC_OP_COMPLETE) __tsan_acquire(event.tag);
  return event;
}

}  // namespace
}  // namespace weir

extern "C" {

grpc_call_error grpc_call_start_batch(grpc_call* call, const grpc_op* ops, size_t nops, void* tag,
                                      void* reserved) {
  static const auto start = Next<decltype(grpc_call_start_batch)>("grpc_call_start_batch");
  weir::OnBatchStarted(tag);
  return start(call, ops, nops, tag, reserved);
}

grpc_call_error grpc_server_request_registered_call(grpc_server* server, void* method,
                                                    grpc_call** call, gpr_timespec* deadline,
                                                    grpc_metadata_array* metadata,
                                                    grpc_byte_buffer** payload,
                                                    grpc_completion_queue* bound,
                                                    grpc_completion_queue* notified, void* tag) {
  static const auto request =
      Next<decltype(grpc_server_request_registered_call)>("grpc_server_request_registered_call");
  __tsan_release(tag);
  return request(server, method, call, deadline, metadata, payload, bound, notified, tag);
}

grpc_event grpc_completion_queue_next(grpc_completion_queue* queue, gpr_timespec deadline,
                                      void* reserved) {
  static const auto next = Next<decltype(grpc_completion_queue_next)>("grpc_completion_queue_next");
  return weir::AfterStart(next(queue, deadline, reserved));
}

grpc_event grpc_completion_queue_pluck(grpc_completion_queue* queue, void* tag,
                                       gpr_timespec deadline, void* reserved) {
  static const auto pluck =
      Next<decltype(grpc_completion_queue_pluck)>("grpc_completion_queue_pluck");
  return weir::AfterStart(pluck(queue, tag, deadline, reserved));
}

// What the libraries themselves do to memory, in functions that the sanitizer intercepts (memcpy,
// malloc, free, ...), is ordered by atomics of theirs; their locks are still seen. The last two
// lines are functions that are compiled into our programs, too: a destructor of absl::Status that
// the libraries call, and one of gRPC's headers that copies text from memory which the libraries
// have freed and got again.
const char* __tsan_default_suppressions() {
  return "called_from_lib:libabsl_cord.so\n"
         "called_from_lib:libabsl_cord_internal.so\n"
         "called_from_lib:libabsl_graphcycles_internal.so\n"
         "called_from_lib:libabsl_random_internal_pool_urbg.so\n"
         "called_from_lib:libabsl_status.so\n"
         "called_from_lib:libabsl_strings.so\n"
         "called_from_lib:libabsl_synchronization.so\n"
         "called_from_lib:libabsl_time.so\n"
         "called_from_lib:libabsl_time_zone.so\n"
         "called_from_lib:libcrypto.so\n"
         "called_from_lib:libgpr.so\n"
         "called_from_lib:libgrpc++.so\n"
         "called_from_lib:libgrpc.so\n"
         "called_from_lib:libssl.so\n"
         "called_from_lib:libupb.so\n"
         "race:absl::debian3::inlined_vector_internal::Storage<absl::debian3::status_internal::"
         "Payload\n"
         "race:grpc::internal::CallOpClientRecvStatus::FinishOp\n";
}

}  // extern "C"
