package data

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

// Damaged is an example that cannot be read.
type Damaged struct {
	Example int    // its index
	Path    string // its file, or "" if it is not known
	Err     error
}

// Undamaged reads every example of ds once, in the given number of goroutines, and returns the
// dataset of those that can be read, in the order of ds, and a list of the others. Epochs are then as
// reproducible as those of any other dataset, which they would not be if damage were only noticed as
// it is met. It is an error if no example can be read. If ctx is cancelled, the error is its cause.
func Undamaged(ctx context.Context, ds Dataset, workers int) (Dataset, []Damaged, error) {
	n, err := count(ds)
	var info Info
	if err == nil {
		info, err = describe(ds)
	}
	if err == nil {
		err = info.Err()
	}
	switch {
	case err != nil:
	case ctx == nil:
		err = errors.New("no context")
	case n < 1 || n > maxExamples:
		err = fmt.Errorf("a dataset of %d examples; want 1 to %d", n, maxExamples)
	case workers < 1 || workers > MaxWorkers:
		err = fmt.Errorf("%d workers; want 1 to %d", workers, MaxWorkers)
	}
	if err != nil {
		return nil, nil, prefixed(err)
	}
	errs := readAll(ctx, ds, info, n, workers)
	if ctx.Err() != nil {
		return nil, nil, context.Cause(ctx)
	}
	var good []int
	var bad []Damaged
	for i := range n {
		if err := errs[i]; err != nil {
			bad = append(bad, Damaged{i, Path(ds, i), err})
			continue
		}
		good = append(good, i)
	}
	switch {
	case len(good) == 0:
		return nil, bad, prefixed(fmt.Errorf("none of %d examples can be read; the first: %w", n, bad[0].Err))
	case len(bad) == 0:
		return ds, nil, nil
	}
	return subset{ds, good}, bad, nil
}

// readAll returns the errors of reading, by example.
func readAll(ctx context.Context, ds Dataset, info Info, n, workers int) map[int]error {
	var next atomic.Int64
	var mutex sync.Mutex
	var group sync.WaitGroup
	errs := map[int]error{}
	for range min(workers, n) {
		group.Go(func() {
			e := Example{X: make([]float32, info.Input.Len())}
			e.makeTargets(1, info.Target)
			for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				if err := readOne(ds, i, e); err != nil {
					mutex.Lock()
					errs[i] = err
					mutex.Unlock()
				}
			}
		})
	}
	group.Wait()
	return errs
}

func readOne(ds Dataset, i int, e Example) (err error) {
	defer rescue(&err)
	return ds.Read(i, e)
}
