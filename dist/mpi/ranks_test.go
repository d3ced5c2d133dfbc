//go:build linux && (amd64 || arm64)

package mpi

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
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
	"stop":      {f: stopThen(sumOnce)},
	"stop-big":  {f: stopThen(exchangeMuch)},
	"abort":     {f: abort},
	"leave":     {f: leave},
	"nil":       {f: recoverFromNil},
	"lengths":   {f: lengths},
	"differ":    {f: differ},
	early:       {options: Options{Timeout: 2 * time.Second}, f: conform},
	"allocate":  {f: allocate},
	"elsewhere": {f: inAnotherOperation},
	"late":      {f: late},
}

// early ends rank 1 before it starts MPI, with success.
const early = "early"

func beRank() error {
	if *as == early && cmp.Or(os.Getenv("PMI_RANK"), os.Getenv("OMPI_COMM_WORLD_RANK")) == "1" {
		return nil
	}
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

// stopThen stops rank 1, like a machine that hangs, and lets the others call an operation.
func stopThen(operation func(context.Context, dist.Group) error) func(dist.Group) error {
	return func(g dist.Group) error {
		if err := g.Barrier(within(20 * time.Second)); err != nil {
			return err
		}
		if g.Rank() == 1 {
			if err := syscall.Kill(os.Getpid(), syscall.SIGSTOP); err != nil {
				return err
			}
			time.Sleep(time.Hour) // another thread may take the signal, later
		}
		err := operation(within(2*time.Second), g)
		if !errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("not a timeout: %w", err)
		}
		g.Abort(err)
		return nil
	}
}

func sumOnce(ctx context.Context, g dist.Group) error { return g.SumFloat64(ctx, []float64{1}) }

func exchangeMuch(ctx context.Context, g dist.Group) error {
	send, recv := make([][]byte, g.Size()), make([][]byte, g.Size())
	for i := range send {
		send[i], recv[i] = make([]byte, 8<<20), make([]byte, 8<<20)
	}
	return g.Exchange(ctx, send, recv)
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

// differ makes rank 1 call the operations of a list with other arguments, or another operation.
func differ(g dist.Group) error {
	first := g.Rank() == 0
	for _, f := range []func(context.Context, dist.Group) error{
		func(ctx context.Context, d dist.Group) error {
			if first {
				return d.Barrier(ctx)
			}
			return d.SumFloat64(ctx, []float64{1})
		},
		func(ctx context.Context, d dist.Group) error { return d.SumFloat32(ctx, make([]float32, 1+d.Rank())) },
		func(ctx context.Context, d dist.Group) error { return d.Broadcast(ctx, make([]byte, 8), d.Rank()) },
		func(ctx context.Context, d dist.Group) error { return d.Broadcast(ctx, make([]byte, d.Rank()), 0) },
	} {
		d, err := g.Dup(within(20 * time.Second))
		if err != nil {
			return err
		}
		err = f(within(3*time.Second), d)
		if err == nil {
			return errors.New("no error")
		}
		fmt.Println(err)
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

// late lets the others wait for rank 1 so long that they tell it where they are, in a duplicate too, which it
// does not hear, since it waits for nobody.
func late(g dist.Group) error {
	d, err := g.Dup(within(20 * time.Second))
	if err != nil {
		return err
	}
	for _, group := range []dist.Group{g, d} {
		if g.Rank() == 1 {
			time.Sleep(1500 * time.Millisecond)
		}
		if err := group.Barrier(within(20 * time.Second)); err != nil {
			return err
		}
	}
	return d.Close()
}

// allocate fails if operations allocate once they have run.
func allocate(g dist.Group) error {
	ctx, n := context.Background(), g.Size()
	send, recv := make([][]byte, n), make([][]byte, n)
	for i := range n {
		send[i], recv[i] = make([]byte, 100), make([]byte, 100)
	}
	v := make([]float32, 5000)
	r, err := dist.NewReducer[float32](g, dist.ReducerConfig{Length: len(v)})
	if err != nil {
		return err
	}
	all := func() error {
		return cmp.Or(g.Barrier(ctx), g.Exchange(ctx, send, recv), g.Gather(ctx, send[0], recv), g.Broadcast(ctx, send[0], 0),
			g.SumFloat32(ctx, v), r.Add(v), r.Finish(ctx, v))
	}
	const times, few = 300, 30
	var before, after runtime.MemStats
	for i := range 2 * times {
		if i == times {
			runtime.ReadMemStats(&before)
		}
		if err := all(); err != nil {
			return err
		}
	}
	runtime.ReadMemStats(&after)
	if made := after.Mallocs - before.Mallocs; made > few {
		return fmt.Errorf("%d allocations in %d rounds", made, times)
	}
	return nil
}
