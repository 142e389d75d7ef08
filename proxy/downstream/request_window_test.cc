#include "proxy/downstream/request_window.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

using Change = RequestWindow::Change;

TEST(RequestWindowTest, DoublesOnceEachTimeItHoldsInputBack) {
  RequestWindow window;
  EXPECT_EQ(window.NoteReply(5, 1000), Change::kNone) << "nothing waited";
  window.SetHoldsBack(true);
  EXPECT_EQ(window.NoteReply(5, 1000), Change::kGrown);
  EXPECT_EQ(window.size(), 2 * RequestWindow::kFirst);
  EXPECT_EQ(window.NoteReply(5, 1000), Change::kNone);
}

TEST(RequestWindowTest, GrowsNoFurtherThanItsRepliesFit) {
  RequestWindow window;
  window.SetHoldsBack(true);
  EXPECT_EQ(window.NoteReply(10, 2 * RequestWindow::kFirst * 10 - 1), Change::kNone);
  EXPECT_EQ(window.NoteReply(10, 2 * RequestWindow::kFirst * 10), Change::kGrown);
}

TEST(RequestWindowTest, GrowsNoFurtherThanItsLargestSize) {
  RequestWindow window;
  for (int i = 0; i < 20; ++i) {
    window.SetHoldsBack(true);
    window.NoteReply(0, 1000);
  }
  EXPECT_EQ(window.size(), RequestWindow::kLargest);
}

TEST(RequestWindowTest, ShrinksAtOnceToWhatFitsButNeverBelowOne) {
  RequestWindow window;
  EXPECT_EQ(window.NoteReply(100, 1000), Change::kShrunk);
  EXPECT_EQ(window.size(), 10u);
  EXPECT_EQ(window.NoteReply(100'000, 1000), Change::kShrunk);
  EXPECT_EQ(window.size(), 1u);
}

TEST(RequestWindowTest, ForgetsALargeReplySlowly) {
  RequestWindow window;
  window.NoteReply(800, 1'000'000);
  EXPECT_EQ(window.typical_reply(), 800u);
  window.NoteReply(1, 1'000'000);
  EXPECT_EQ(window.typical_reply(), 700u);
}

}  // namespace
}  // namespace weir
