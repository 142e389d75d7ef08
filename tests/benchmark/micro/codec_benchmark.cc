// What the codec costs per request and per reply: parsing, scanning, encoding.
//
// Each iteration is one pass over a stream of kFrames frames, and the reported time that of one
// frame.

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <string>
#include <string_view>

#include "proxy/codec/reply_scanner.h"
#include "proxy/codec/resp_encoder.h"
#include "proxy/codec/resp_request_parser.h"

namespace weir {
namespace {

constexpr int kFrames = 512;

std::string Repeated(std::string_view frame) {
  std::string stream;
  for (int i = 0; i < kFrames; ++i) stream += frame;
  return stream;
}

std::string Command(std::initializer_list<std::string_view> args) {
  std::string bytes;
  AppendCommand(bytes, std::span(args.begin(), args.size()));
  return bytes;
}

void ReportPerFrame(benchmark::State& state, const std::string& stream) {
  const auto frames = static_cast<double>(state.iterations()) * kFrames;
  state.counters["per_frame"] =
      benchmark::Counter(frames, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(stream.size()));
}

void ParseStream(benchmark::State& state, const std::string& stream) {
  RespRequestParser parser;
  for (auto _ : state) {
    std::string_view rest = stream;
    while (!rest.empty()) {
      const ParseResult result = parser.Parse(rest);
      if (result.status != ParseStatus::kFrame) std::abort();
      benchmark::DoNotOptimize(parser.args().data());
      rest.remove_prefix(result.consumed);
    }
  }
  ReportPerFrame(state, stream);
}

void ScanStream(benchmark::State& state, const std::string& stream) {
  ReplyScanner scanner(Protocol::kRedis);
  for (auto _ : state) {
    std::string_view rest = stream;
    while (!rest.empty()) {
      const ParseResult result = scanner.Scan(rest);
      if (result.status != ParseStatus::kFrame) std::abort();
      benchmark::DoNotOptimize(scanner.is_push());
      rest.remove_prefix(result.consumed);
    }
  }
  ReportPerFrame(state, stream);
}

void BM_ParseGet(benchmark::State& state) {
  ParseStream(state, Repeated(Command({"GET", "key:000000012345"})));
}
BENCHMARK(BM_ParseGet);

void BM_ParseSet100(benchmark::State& state) {
  ParseStream(state, Repeated(Command({"SET", "key:000000012345", std::string(100, 'v')})));
}
BENCHMARK(BM_ParseSet100);

void BM_ParseSetShort(benchmark::State& state) {
  ParseStream(state, Repeated(Command({"SET", "key:1", "value"})));
}
BENCHMARK(BM_ParseSetShort);

void BM_ParseSet16K(benchmark::State& state) {
  ParseStream(state, Repeated(Command({"SET", "key:1", std::string(16384, 'v')})));
}
BENCHMARK(BM_ParseSet16K);

void BM_ParseMget100(benchmark::State& state) {
  std::string bytes;
  AppendArrayHeader(bytes, 101);
  AppendBulk(bytes, "MGET");
  for (int i = 0; i < 100; ++i) AppendBulk(bytes, "key:000000012345");
  ParseStream(state, Repeated(bytes));
}
BENCHMARK(BM_ParseMget100);

void BM_ParseInlineGet(benchmark::State& state) {
  ParseStream(state, Repeated("GET key:000000012345\r\n"));
}
BENCHMARK(BM_ParseInlineGet);

void BM_ScanOk(benchmark::State& state) { ScanStream(state, Repeated("+OK\r\n")); }
BENCHMARK(BM_ScanOk);

void BM_ScanInteger(benchmark::State& state) { ScanStream(state, Repeated(":123456\r\n")); }
BENCHMARK(BM_ScanInteger);

void BM_ScanNull(benchmark::State& state) { ScanStream(state, Repeated("$-1\r\n")); }
BENCHMARK(BM_ScanNull);

void BM_ScanBulk100(benchmark::State& state) {
  ScanStream(state, Repeated("$100\r\n" + std::string(100, 'v') + "\r\n"));
}
BENCHMARK(BM_ScanBulk100);

void BM_ScanArrayOf10(benchmark::State& state) {
  std::string reply = "*10\r\n";
  for (int i = 0; i < 10; ++i) AppendBulk(reply, "a value of 24 characters");
  ScanStream(state, Repeated(reply));
}
BENCHMARK(BM_ScanArrayOf10);

void BM_EncodeBulk100(benchmark::State& state) {
  const std::string value(100, 'v');
  std::string out;
  out.reserve(kFrames * 120);
  for (auto _ : state) {
    out.clear();
    for (int i = 0; i < kFrames; ++i) AppendBulk(out, value);
    benchmark::DoNotOptimize(out.data());
  }
  ReportPerFrame(state, out);
}
BENCHMARK(BM_EncodeBulk100);

void BM_EncodeCommand(benchmark::State& state) {
  std::string out;
  out.reserve(kFrames * 60);
  for (auto _ : state) {
    out.clear();
    for (int i = 0; i < kFrames; ++i) AppendCommand(out, "SET", "key:1", "value");
    benchmark::DoNotOptimize(out.data());
  }
  ReportPerFrame(state, out);
}
BENCHMARK(BM_EncodeCommand);

}  // namespace
}  // namespace weir

BENCHMARK_MAIN();
