//go:build linux && (amd64 || arm64)

package mpi

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/plexaura/plexaura/dist"
	"github.com/plexaura/plexaura/dist/disttest"
)

var (
	as   = flag.String("as", "", "what this process does as a rank, instead of testing")
	seed = flag.Uint64("seed", 1, "of the checks")
	lib  = flag.String("lib", "", "the library")
)

// A launcher runs this program as its ranks.
func TestMain(m *testing.M) {
	flag.Parse()
	if *as == "" {
		os.Exit(m.Run())
	}
	if err := beRank(); err != nil {
		fmt.Fprintln(os.Stderr, "rank failed:", err)
		os.Exit(3)
	}
	os.Exit(0)
}

// roles are what ranks do; the names are those of -as.
var roles = map[string]struct {
	options Options
	f       func(dist.Group) error
}{
	"conform":   {f: conform},
	"cut":       {Options{chunk: 1000}, conform},
	"funneled":  {Options{funneled: true}, conform},
	"measure":   {f: measure},
	"wait":      {f: waitForever},
	"stop":      {f: stop},
	"abort":     {f: abort},
	"leave":     {f: leave},
	"nil":       {f: recoverFromNil},
	"lengths":   {f: lengths},
	"elsewhere": {f: inAnotherOperation},
}

func beRank() error {
	role, ok := roles[*as]
	if !ok {
		return fmt.Errorf("no role %q", *as)
	}
	role.options.Lib = *lib
	g, err := Start(role.options)
	if err != nil {
		return err
	}
	if err := role.f(g); err != nil {
		return fmt.Errorf("rank %d: %w", g.Rank(), err)
	}
	if err := g.Close(); err != nil {
		return err
	}
	fmt.Printf("done: %v\n", g)
	return nil
}

func conform(g dist.Group) error {
	if _, err := Start(Options{Lib: *lib}); g.Size() > 1 && err == nil {
		return errors.New("MPI was started twice")
	}
	return disttest.Check(g, disttest.Options{Seed: *seed, Rounds: 12, Most: 4000})
}

// within returns a context for an operation that does not end.
func within(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	time.AfterFunc(d+time.Second, cancel)
	return ctx
}

// waitForever says which process it is, and lets rank 0 wait for the others.
func waitForever(g dist.Group) error {
	fmt.Printf("process %d is rank %d\n", os.Getpid(), g.Rank())
	for {
		v := []float32{1, 2, 3}
		if err := g.SumFloat32(within(20*time.Second), v); err != nil {
			g.Abort(err)
		}
	}
}

// stop stops rank 1, like a machine that hangs. The others sum.
func stop(g dist.Group) error {
	if err := g.Barrier(within(20 * time.Second)); err != nil {
		return err
	}
	if g.Rank() == 1 {
		return syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	}
	err := g.SumFloat64(within(2*time.Second), []float64{1})
	if !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("not a timeout: %w", err)
	}
	g.Abort(err)
	return nil
}

func abort(g dist.Group) error {
	if g.Rank() == 1 {
		g.Abort(errors.New("no space left"))
	}
	return g.Barrier(within(20 * time.Second))
}

// leave ends rank 1 without Close.
func leave(g dist.Group) error {
	if g.Rank() == 1 {
		os.Exit(5)
	}
	return g.Barrier(within(20 * time.Second))
}

// recoverFromNil sees that the library has not taken the signals by which Go notices nil.
func recoverFromNil(dist.Group) (err error) {
	defer func() {
		if recover() == nil {
			err = errors.New("no panic")
		}
	}()
	var p *struct{ x [1 << 10]int }
	p.x[len(os.Args)]++
	return nil
}

// lengths makes rank 0 expect fewer and more bytes than rank 1 sends.
func lengths(g dist.Group) error {
	for _, n := range []int{4, 6} {
		d, err := g.Dup(within(20 * time.Second))
		if err != nil {
			return err
		}
		send, recv := make([][]byte, g.Size()), make([][]byte, g.Size())
		switch g.Rank() {
		case 0:
			recv[1] = make([]byte, n)
		case 1:
			send[0] = make([]byte, 5)
		}
		err = d.Exchange(within(20*time.Second), send, recv)
		if g.Rank() == 0 {
			fmt.Println("expecting", n, "bytes:", err)
		}
		if again := d.Barrier(within(time.Second)); err != nil && !errors.Is(again, err) {
			return fmt.Errorf("after the failure: %v", again)
		}
	}
	return nil
}

// inAnotherOperation lets rank 1 wait in another operation than the rest.
func inAnotherOperation(g dist.Group) error {
	var err error
	if g.Rank() == 1 {
		err = g.Broadcast(within(4*time.Second), make([]byte, 1<<20), 0)
	} else {
		err = g.SumFloat64(within(4*time.Second), []float64{1})
	}
	fmt.Println(err)
	g.Abort(err)
	return nil
}

func measure(dist.Group) error { return nil }
