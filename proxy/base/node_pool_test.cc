#include "proxy/base/node_pool.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace weir {
namespace {

struct Counted {
  explicit Counted(int v) : value(v) { ++alive; }
  ~Counted() { --alive; }
  static inline int alive = 0;
  int value;
  std::string text = std::string(100, 'x');  // leaks are seen by the sanitizer
};

TEST(NodePoolTest, ConstructsAndDestroysEachNodeOnce) {
  NodePool<Counted> pool;
  std::vector<Counted*> nodes;
  for (int i = 0; i < 200; ++i) nodes.push_back(pool.New(i));
  EXPECT_EQ(Counted::alive, 200);
  EXPECT_EQ(pool.in_use(), 200u);
  EXPECT_EQ(std::set<Counted*>(nodes.begin(), nodes.end()).size(), 200u);
  for (int i = 0; i < 200; ++i) EXPECT_EQ(nodes[i]->value, i);
  for (Counted* node : nodes) pool.Delete(node);
  EXPECT_EQ(Counted::alive, 0);
  EXPECT_EQ(pool.in_use(), 0u);
}

TEST(NodePoolTest, UsesTheNodeFreedLastAgain) {
  NodePool<Counted> pool;
  Counted* first = pool.New(1);
  Counted* second = pool.New(2);
  pool.Delete(first);
  EXPECT_EQ(pool.New(3), first);
  EXPECT_EQ(first->value, 3);
  EXPECT_EQ(second->value, 2);
  pool.Delete(first);
  pool.Delete(second);
}

struct alignas(32) Aligned {
  char bytes[40];
};

TEST(NodePoolTest, NodesAreAligned) {
  NodePool<Aligned> pool;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(reinterpret_cast<uintptr_t>(pool.New()) % alignof(Aligned), 0u);
  }
}

}  // namespace
}  // namespace weir
