// The tests of keyless.hpp as one program: the parts are included, since each would instantiate the same templates.

#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
// Half the time to compile.
#define DOCTEST_CONFIG_SUPER_FAST_ASSERTS
#include <doctest/doctest.h>

#include "rig.hpp"

#include "cluster.cpp"
#include "commands.cpp"
#include "conversions.cpp"
#include "errors.cpp"
#include "events.cpp"
#include "lifetimes.cpp"
#include "pipelines.cpp"
#include "subscriptions.cpp"
#include "tokens.cpp"
#include "waiting.cpp"
