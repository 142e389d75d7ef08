// A plan as people read it. Pure; any thread.
#pragma once

#include <string>

#include "proto/weir/v1/admin.pb.h"

namespace weir {

// What the change is, which keys move from where to where, and why the guard holds it, if it does.
std::string FormatPlan(const v1::Plan& plan);

// What became of the proxies that were waited for: "3 of 3 proxies have acknowledged" and a line
// for each that has not.
std::string FormatProxyResults(const v1::ChangeResponse& response);

// Whether all of them have acknowledged.
bool AllAcked(const v1::ChangeResponse& response);

}  // namespace weir
