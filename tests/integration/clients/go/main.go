// Connects go-redis with its default settings and runs verified random operations.
//
// usage: clients PORT OPERATIONS SEED
//
// Every reply is compared with what a model in memory says it must be. The last line says how many
// operations were verified; the first difference ends the program with an error.
package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"reflect"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

type model struct {
	random   *rand.Rand
	client   *redis.Client
	strings  map[string]string
	counters map[string]int64
	hashes   map[string]map[string]string
	lists    map[string][]string
}

func fatal(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(1)
}

func expect[T any](what string, got T, err error, want T) {
	if err != nil {
		fatal("%s: %v", what, err)
	}
	if !reflect.DeepEqual(got, want) {
		fatal("%s: got %v, want %v", what, got, want)
	}
}

func (m *model) name() string { return fmt.Sprintf("go:%d", m.random.Intn(100)) }

func (m *model) names() []string {
	names := make([]string, 1+m.random.Intn(8))
	for i := range names {
		names[i] = m.name()
	}
	return names
}

func (m *model) value() string {
	return strings.Repeat(fmt.Sprintf("v%d\r\n\x00", m.random.Int()), 1+m.random.Intn(20))
}

func (m *model) present(names []string) (count int64) {
	for _, name := range names {
		if _, ok := m.strings[name]; ok {
			count++
		}
	}
	return count
}

func (m *model) values(names []string) []any {
	values := make([]any, len(names))
	for i, name := range names {
		if value, ok := m.strings[name]; ok {
			values[i] = value
		}
	}
	return values
}

func (m *model) get(ctx context.Context) {
	name := m.name()
	got, err := m.client.Get(ctx, name).Result()
	want, ok := m.strings[name]
	if !ok {
		if !errors.Is(err, redis.Nil) {
			fatal("GET %s: got %q, %v, want nil", name, got, err)
		}
		return
	}
	expect("GET "+name, got, err, want)
}

func (m *model) set(ctx context.Context) {
	name, value := m.name(), m.value()
	m.strings[name] = value
	got, err := m.client.Set(ctx, name, value, 0).Result()
	expect("SET", got, err, "OK")
}

func (m *model) mset(ctx context.Context) {
	var pairs []any
	for _, name := range m.names() {
		value := m.value()
		m.strings[name] = value
		pairs = append(pairs, name, value)
	}
	got, err := m.client.MSet(ctx, pairs...).Result()
	expect("MSET", got, err, "OK")
}

func (m *model) mget(ctx context.Context) {
	names := m.names()
	got, err := m.client.MGet(ctx, names...).Result()
	expect("MGET", got, err, m.values(names))
}

func (m *model) del(ctx context.Context) {
	names := m.names()
	var want int64
	for _, name := range names {
		want += m.present([]string{name})
		delete(m.strings, name)
	}
	got, err := m.client.Del(ctx, names...).Result()
	expect("DEL", got, err, want)
}

func (m *model) exists(ctx context.Context) {
	names := m.names()
	got, err := m.client.Exists(ctx, names...).Result()
	expect("EXISTS", got, err, m.present(names))
}

func (m *model) incr(ctx context.Context) {
	name := m.name() + ":counter"
	m.counters[name]++
	got, err := m.client.Incr(ctx, name).Result()
	expect("INCR", got, err, m.counters[name])
}

func (m *model) hash(ctx context.Context) {
	name, field, value := m.name()+":hash", strconv.Itoa(m.random.Intn(5)), m.value()
	if m.hashes[name] == nil {
		m.hashes[name] = map[string]string{}
	}
	m.hashes[name][field] = value
	if err := m.client.HSet(ctx, name, field, value).Err(); err != nil {
		fatal("HSET: %v", err)
	}
	got, err := m.client.HGetAll(ctx, name).Result()
	expect("HGETALL", got, err, m.hashes[name])
}

func (m *model) list(ctx context.Context) {
	name, value := m.name()+":list", m.value()
	m.lists[name] = append(m.lists[name], value)
	length, err := m.client.RPush(ctx, name, value).Result()
	expect("RPUSH", length, err, int64(len(m.lists[name])))
	got, err := m.client.LRange(ctx, name, 0, -1).Result()
	expect("LRANGE", got, err, m.lists[name])
}

func (m *model) pipeline(ctx context.Context) {
	names := m.names()
	want := make([]string, len(names))
	var ranges []*redis.StringCmd
	_, err := m.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i, name := range names {
			want[i] = m.strings[name] // "" when there is none, as GETRANGE answers
			ranges = append(ranges, pipe.GetRange(ctx, name, 0, -1))
		}
		return nil
	})
	got := make([]string, len(ranges))
	for i, it := range ranges {
		got[i] = it.Val()
	}
	expect("pipeline", got, err, want)
}

func (m *model) transaction(ctx context.Context) {
	name, value := "{t}"+m.name(), m.value()
	var get *redis.StringCmd
	_, err := m.client.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.Set(ctx, name, value, 0)
		get = pipe.Get(ctx, name)
		pipe.Del(ctx, name)
		return nil
	})
	if err != nil {
		fatal("MULTI: %v", err)
	}
	got, err := get.Result()
	expect("GET in MULTI", got, err, value)
}

func main() {
	if len(os.Args) != 4 {
		fatal("usage: clients PORT OPERATIONS SEED")
	}
	operations, _ := strconv.Atoi(os.Args[2])
	seed, _ := strconv.ParseInt(os.Args[3], 10, 64)
	m := &model{
		random:   rand.New(rand.NewSource(seed)),
		client:   redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + os.Args[1]}),
		strings:  map[string]string{},
		counters: map[string]int64{},
		hashes:   map[string]map[string]string{},
		lists:    map[string][]string{},
	}
	steps := []func(context.Context){m.get, m.set, m.mget, m.mset, m.del, m.exists, m.incr, m.hash,
		m.list, m.pipeline, m.transaction}
	ctx := context.Background()
	for i := 0; i < operations; i++ {
		steps[m.random.Intn(len(steps))](ctx)
	}
	if err := m.client.Close(); err != nil {
		fatal("close: %v", err)
	}
	fmt.Printf("%d operations verified\n", operations)
}
