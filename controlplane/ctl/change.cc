#include "controlplane/ctl/change.h"

#include <algorithm>
#include <optional>

#include "controlplane/ctl/message_text.h"
#include "controlplane/ctl/plan_text.h"
#include "controlplane/ctl/progress_line.h"
#include "controlplane/ctl/text.h"
#include "proxy/base/strings.h"
#include "proxy/base/uuid.h"

namespace weir {
namespace {

constexpr double kAskAbove = 0.05;  // share of keys that move

v1::ChangeOptions TermsOf(const CtlOptions& options) {
  v1::ChangeOptions terms;
  terms.set_etag(options.etag);
  terms.set_force(options.force);
  if (options.max_moved_fraction) terms.set_max_moved_fraction(*options.max_moved_fraction);
  return terms;
}

// Sets the etag, unless the command line has one or wants none.
absl::Status ReadEtag(const PoolChange& change, Session& session, v1::ChangeOptions& terms) {
  if (!change.needs_etag || terms.force() || !terms.etag().empty()) return absl::OkStatus();
  const absl::StatusOr<v1::Pool> pool = GetPool(session.client, change.pool);
  if (!pool.ok()) return pool.status();
  terms.set_etag(pool->etag());
  return absl::OkStatus();
}

absl::StatusOr<v1::ChangeResponse> MakePlan(const PoolChange& change, v1::ChangeOptions terms) {
  terms.set_validate_only(true);
  return change.send(terms, absl::ZeroDuration());
}

void Print(const v1::ChangeResponse& response, std::string_view text, const CtlOptions& options,
           Console& console) {
  if (options.output == OutputFormat::kTable) {
    console.out << text;
  } else {
    console.out << FormatMessage(response, options.output);
  }
}

// Whether the change may be made: few keys move, or somebody has said yes to the plan.
bool Confirm(const PoolChange& change, const v1::ChangeResponse& planned, Console& console) {
  // What the guard holds changes nothing yet; ApprovePlan asks again.
  const bool is_small = planned.plan().moved_fraction() <= kAskAbove || planned.held();
  if (is_small && !change.always_ask) return true;
  console.err << FormatPlan(planned.plan());
  if (!console.can_ask) {
    console.err << "weirctl: not confirmed: nobody can be asked here; --yes makes the change, "
                   "`weirctl plan` only shows it\n";
    return false;
  }
  console.err << "Make this change? [y/N] " << std::flush;
  std::string answer;
  std::getline(console.in, answer);
  if (answer == "y" || answer == "Y" || answer == "yes") return true;
  console.err << "weirctl: not confirmed; nothing has changed\n";
  return false;
}

std::string ResultText(const v1::ChangeResponse& response, const CtlOptions& options) {
  const std::string pool = StrCat("pool '", Displayable(response.plan().pool()), "'");
  if (response.held()) {
    return StrCat(pool, ": held, nothing has changed\n", FormatPlan(response.plan()),
                  "To make it all the same: weirctl approve ", Displayable(response.plan().pool()),
                  " ", Displayable(response.plan().id()), "\n");
  }
  std::string text = StrCat(pool, ": generation ", response.pool().shard_map().generation(), ", ",
                            Percent(response.plan().moved_fraction()), " of the keys move\n");
  for (const std::string& line : response.plan().changes()) {
    StrAppend(&text, "  ", Displayable(line), "\n");
  }
  if (response.plan().changes().empty()) text += "  nothing to change\n";
  for (const std::string& line : response.pool().status().waiting()) {
    StrAppend(&text, Displayable(line), "\n");
  }
  if (!options.wait) return text;
  const auto& slots = response.pool().shard_map().slots();
  const bool on_ring = std::ranges::count(slots, v1::SLOT_ACTIVE, &v1::Slot::state) > 0;
  const bool is_told = on_ring || response.pool().status().waiting().empty();
  text += is_told ? FormatProxyResults(response)
                  : "proxies are told of the pool when the first address is found\n";
  return text;
}

ExitCode Report(const v1::ChangeResponse& response, const CtlOptions& options, Console& console) {
  Print(response, ResultText(response, options), options, console);
  if (response.held()) return ExitCode::kHeld;
  return AllAcked(response) ? ExitCode::kDone : ExitCode::kNotAcked;
}

absl::StatusOr<v1::ChangeResponse> Send(const PoolChange& change, const CtlOptions& options,
                                        v1::ChangeOptions terms, Session& session) {
  if (!options.wait) return change.send(terms, absl::ZeroDuration());
  terms.set_wait(v1::WAIT_ALL_CONNECTED);
  terms.mutable_wait_timeout()->set_seconds(absl::ToInt64Seconds(options.wait_timeout));
  std::optional<ProgressLine> progress;
  if (session.console.has_progress) {
    progress.emplace(session.client, change.pool, session.console.err);
  }
  return change.send(terms, options.wait_timeout);
}

// Says, when there was no answer, how to find out what became of the change.
ExitCode FailToMake(const absl::Status& error, const v1::ChangeOptions& terms, Console& console) {
  const ExitCode code = Fail(error, console);
  if (code != ExitCode::kUnreachable) return code;
  console.err << "The change may have been made. To get its answer, repeat the command with --yes"
              << (terms.etag().empty() ? "" : StrCat(" --etag ", terms.etag())) << " --request-id "
              << terms.request_id() << '\n';
  return code;
}

}  // namespace

ExitCode Fail(const absl::Status& error, Console& console) {
  console.err << "weirctl: " << FromAbsl(error.message()) << '\n';
  return ExitCodeOf(error);
}

ExitCode MakeChange(const PoolChange& change, const CtlOptions& options, Session& session) {
  v1::ChangeOptions terms = TermsOf(options);
  if (const absl::Status status = ReadEtag(change, session, terms); !status.ok()) {
    if (!absl::IsNotFound(status) || !change.allow_missing) return Fail(status, session.console);
    session.console.err << "pool '" << Displayable(change.pool) << "': there is none\n";
    return ExitCode::kDone;
  }
  if (options.plan_only || !options.yes) {
    const absl::StatusOr<v1::ChangeResponse> planned = MakePlan(change, terms);
    if (!planned.ok()) return Fail(planned.status(), session.console);
    if (options.plan_only) {
      Print(*planned, FormatPlan(planned->plan()), options, session.console);
      return planned->held() ? ExitCode::kHeld : ExitCode::kDone;
    }
    if (!Confirm(change, *planned, session.console)) return ExitCode::kNotConfirmed;
  }
  terms.set_request_id(options.request_id.empty() ? RandomUuid() : options.request_id);
  const absl::StatusOr<v1::ChangeResponse> made = Send(change, options, terms, session);
  if (!made.ok()) return FailToMake(made.status(), terms, session.console);
  return Report(*made, options, session.console);
}

}  // namespace weir
