package disttest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/plexaura/plexaura/dist"
	"github.com/plexaura/plexaura/internal/isnil"
)

// Options say what Check does.
type Options struct {
	Seed   uint64        // of sizes and contents; the same on all ranks
	Rounds int           // random cases of each operation; 0 stands for 20
	Most   int           // the most elements of a vector; 0 stands for 3000
	Within time.Duration // for each check; 0 stands for a minute
}

// Check runs all checks on this rank of g, and returns the first thing that is wrong. Every rank
// calls it with the same options. It leaves g open.
func Check(g dist.Group, o Options) error {
	if isnil.Of(g) {
		return errors.New("disttest: no group")
	}
	if o.Rounds == 0 {
		o.Rounds = 20
	}
	if o.Most == 0 {
		o.Most = 3000
	}
	if o.Within == 0 {
		o.Within = time.Minute
	}
	for _, c := range checks {
		if err := run(g, o, c.f); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return nil
}

var checks = []struct {
	name string
	f    func(*rank) error
}{
	{"numbers of ranks", (*rank).numbers},
	{"Exchange", (*rank).exchange},
	{"Gather", (*rank).gather},
	{"Broadcast", (*rank).broadcast},
	{"Barrier", (*rank).barrier},
	{"sums of integers", (*rank).integers},
	{"sums that are not finite", (*rank).notFinite},
	{"Dup", (*rank).dup},
	{"Collect and Agree", (*rank).collect},
	{"Reducer", (*rank).reducer},
	{"Reducer and the group's own sum", (*rank).integersBoth},
	{"Reducer of float64", (*rank).reducer64},
	{"Reducer by bfloat16", (*rank).rounded},
	{"Reducer by the library", (*rank).library},
}

// rank is a rank while it is checked.
type rank struct {
	dist.Group
	Options
	ctx    context.Context
	shared *rand.Rand // draws the same on all ranks
}

func run(g dist.Group, o Options, f func(*rank) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), o.Within)
	defer cancel()
	return f(&rank{g, o, ctx, rand.New(rand.NewPCG(o.Seed, 1))})
}

// length draws a number of elements: often one of the edges.
func (r *rank) length() int {
	switch r.shared.IntN(4) {
	case 0:
		return r.shared.IntN(4)
	case 1:
		return min(1<<r.shared.IntN(12)+r.shared.IntN(3)-1, r.Most)
	}
	return r.shared.IntN(r.Most + 1)
}

// content fills b with bytes that follow from its three numbers.
func content(b []byte, from, to, round int) []byte {
	s := rand.New(rand.NewPCG(uint64(from)<<32|uint64(to), uint64(round)))
	for i := range b {
		b[i] = byte(s.Uint32())
	}
	return b
}

func (r *rank) numbers() error {
	if r.Size() < 1 || r.Rank() < 0 || r.Rank() >= r.Size() {
		return fmt.Errorf("rank %d of %d", r.Rank(), r.Size())
	}
	return nil
}

func (r *rank) exchange() error {
	for round := range r.Rounds {
		send, recv, want := make([][]byte, r.Size()), make([][]byte, r.Size()), make([][]byte, r.Size())
		for from := range r.Size() {
			for to := range r.Size() {
				n := r.length()
				if from == r.Rank() {
					send[to] = content(make([]byte, n), from, to, round)
				}
				if to == r.Rank() {
					recv[from], want[from] = make([]byte, n), content(make([]byte, n), from, to, round)
				}
			}
		}
		if round%3 == 0 { // the part to oneself is the same memory
			recv[r.Rank()] = send[r.Rank()]
		}
		if err := r.Exchange(r.ctx, send, recv); err != nil {
			return err
		}
		if err := sameParts(recv, want); err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
	}
	return nil
}

func sameParts(have, want [][]byte) error {
	for i := range want {
		if !bytes.Equal(have[i], want[i]) {
			return fmt.Errorf("the %d bytes from rank %d are not those that it sent", len(want[i]), i)
		}
	}
	return nil
}

func (r *rank) gather() error {
	for round := range r.Rounds {
		recv, want := make([][]byte, r.Size()), make([][]byte, r.Size())
		for from := range r.Size() {
			n := r.length()
			recv[from], want[from] = make([]byte, n), content(make([]byte, n), from, 0, round)
		}
		send := slices.Clone(want[r.Rank()])
		if round%3 == 0 {
			recv[r.Rank()] = send
		}
		if err := r.Gather(r.ctx, send, recv); err != nil {
			return err
		}
		if err := sameParts(recv, want); err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
	}
	return nil
}

func (r *rank) broadcast() error {
	for round := range r.Rounds {
		root := r.shared.IntN(r.Size())
		buf := make([]byte, r.length())
		content(buf, r.Rank(), 0, round)
		if err := r.Broadcast(r.ctx, buf, root); err != nil {
			return err
		}
		if !bytes.Equal(buf, content(make([]byte, len(buf)), root, 0, round)) {
			return fmt.Errorf("round %d: not the bytes of rank %d", round, root)
		}
	}
	return nil
}

// barrier is called late by one rank: the others must not be through before.
func (r *rank) barrier() error {
	const late = 30 * time.Millisecond
	for round := range 3 {
		if err := r.Barrier(r.ctx); err != nil {
			return err
		}
		slow := round % r.Size()
		called := make([]byte, 8)
		if r.Rank() == slow {
			time.Sleep(late)
			copy(called, stamp(time.Now()))
		}
		if err := r.Barrier(r.ctx); err != nil {
			return err
		}
		through := stamp(time.Now())
		if err := r.Broadcast(r.ctx, called, slow); err != nil {
			return err
		}
		if bytes.Compare(through, called) < 0 {
			return fmt.Errorf("through the barrier before rank %d called it", slow)
		}
	}
	return nil
}

// stamp is a time as bytes that compare like it; ranks are on one machine.
func stamp(t time.Time) []byte { return binary.BigEndian.AppendUint64(nil, uint64(t.UnixNano())) }

func (r *rank) integers() error {
	for round := range r.Rounds {
		n := r.length()
		if err := sumOfIntegers[float32](r, n); err != nil {
			return fmt.Errorf("round %d, float32: %w", round, err)
		}
		if err := sumOfIntegers[float64](r, n); err != nil {
			return fmt.Errorf("round %d, float64: %w", round, err)
		}
	}
	return nil
}

// sumOfIntegers has one result in any order.
func sumOfIntegers[T dist.Float](r *rank, n int) error {
	v, want := make([]T, n), make([]T, n)
	for rk := range r.Size() {
		for i := range v {
			x := T((i*31+rk*17)%2001 - 1000)
			want[i] += x
			if rk == r.Rank() {
				v[i] = x
			}
		}
	}
	if err := dist.Sum(r.ctx, r.Group, v); err != nil {
		return err
	}
	if !slices.Equal(v, want) {
		return fmt.Errorf("the sum of %d integers is wrong", n)
	}
	return nil
}

func (r *rank) notFinite() error {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	v := []float32{1, 1, 1}
	switch r.Rank() {
	case r.Size() - 1:
		v = []float32{inf, nan, -inf}
	}
	if err := r.SumFloat32(r.ctx, v); err != nil {
		return err
	}
	if v[0] != inf || v[1] == v[1] || v[2] != -inf {
		return fmt.Errorf("sums are %v, want Inf, NaN and -Inf", v)
	}
	return nil
}

// dup runs operations of two duplicates at once, in one order on even ranks and in the other on odd ones.
func (r *rank) dup() error {
	var dups [2]dist.Group
	for i := range dups {
		var err error
		if dups[i], err = r.Dup(r.ctx); err != nil {
			return err
		}
		if dups[i].Rank() != r.Rank() || dups[i].Size() != r.Size() {
			return fmt.Errorf("rank %d of %d has a duplicate that is rank %d of %d", r.Rank(), r.Size(), dups[i].Rank(), dups[i].Size())
		}
	}
	var both sync.WaitGroup
	errs := make([]error, len(dups))
	for i, d := range dups {
		other := *r
		other.Group = d
		other.shared = rand.New(rand.NewPCG(r.Seed, uint64(i)))
		order := []func(*rank) error{(*rank).exchange, (*rank).integers, (*rank).broadcast}
		both.Add(1)
		go func() {
			defer both.Done()
			if r.Rank()%2 == i {
				time.Sleep(2 * time.Millisecond)
			}
			for _, f := range order {
				errs[i] = errors.Join(errs[i], f(&other))
			}
		}()
	}
	err := r.reducer() // on the group itself, meanwhile
	both.Wait()
	for i, d := range dups {
		errs[i] = errors.Join(errs[i], d.Close())
	}
	if err := errors.Join(append(errs, err)...); err != nil {
		return err
	}
	if err := dups[0].Barrier(r.ctx); !errors.Is(err, dist.ErrClosed) {
		return fmt.Errorf("a barrier of a closed duplicate gives %v", err)
	}
	return r.Barrier(r.ctx)
}

func (r *rank) collect() error {
	own := bytes.Repeat([]byte{byte(r.Rank())}, r.Rank()*3)
	all, err := dist.Collect(r.ctx, r.Group, own, 1<<20)
	if err != nil {
		return err
	}
	for i, b := range all {
		if !bytes.Equal(b, bytes.Repeat([]byte{byte(i)}, i*3)) {
			return fmt.Errorf("rank %d sent %v", i, b)
		}
	}
	fact := dist.Fact{Name: "version", Value: "1"}
	if err := dist.Agree(r.ctx, r.Group, fact); err != nil {
		return err
	}
	if r.Size() == 1 {
		return nil
	}
	if r.Rank() == r.Size()-1 {
		fact.Value = "2"
	}
	err = dist.Agree(r.ctx, r.Group, fact)
	if want := fmt.Sprintf(`ranks 0 and %d differ in version: "1" and "2"`, r.Size()-1); err == nil || !bytes.Contains([]byte(err.Error()), []byte(want)) {
		return fmt.Errorf("two versions give %v, want %s", err, want)
	}
	return nil
}
