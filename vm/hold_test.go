package vm_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// slowReader returns a training program's machine, and what runs inference on its store until
// it is let go.
func slowReader(t *testing.T) (training *vm.Machine, s *vm.Store, read func(), letGo func() error) {
	t.Helper()
	begun, free, ended := make(chan struct{}), make(chan struct{}), make(chan error)
	kernel := engine.Bound{By: "test", Kernel: func(c *engine.Call) error {
		begun <- struct{}{}
		<-free
		copy(c.Out[0].Bytes(), c.In[0].Bytes())
		return nil
	}}
	g := graph.New()
	w := g.Param("w", shape.F32(2), graph.Fill(1))
	slow := graph.Apply(bound{&kernel}, w)
	g.Update(w, ops.AddScalar(w, 1))
	training, s = machine(t, []*graph.Node{ops.Sum(w)}, vm.Train)
	p, err := vm.Compile(ref.Engine{}, []*graph.Node{slow})
	require.NoError(t, err)
	reader, err := p.NewMachine(s)
	require.NoError(t, err)
	letGo = sync.OnceValue(func() error { close(free); return <-ended })
	read = func() {
		t.Cleanup(func() { _ = letGo() })
		go func() {
			_, err := reader.Run(ctx)
			ended <- err
		}()
		<-begun
	}
	return training, s, read, letGo
}

// waits runs write, which is to wait, and returns what readers of s are told from then on.
func waits(t *testing.T, s *vm.Store, write func() error) (ended chan error, refused error) {
	t.Helper()
	ended = make(chan error, 1)
	go func() { ended <- write() }()
	for {
		if _, err := s.Value("w"); err != nil {
			require.ErrorIs(t, err, vm.ErrBusy)
			require.Empty(t, ended)
			return ended, err
		}
		select {
		case err := <-ended:
			t.Fatalf("it did not wait: %v", err)
		default:
			runtime.Gosched()
		}
	}
}

func step(ctx context.Context, m *vm.Machine) func() error {
	return func() error {
		_, err := m.Run(ctx)
		return err
	}
}

func TestATrainingStepWaitsForReaders(t *testing.T) {
	training, s, read, letGo := slowReader(t)
	read()
	_, err := s.Value("w")
	require.NoError(t, err, "reading goes on beside reading")

	stepped, refused := waits(t, s, step(ctx, training)) // a stream of readers would never let it through
	require.ErrorContains(t, refused, "a training step is under way")
	require.ErrorIs(t, s.Set("w", f32([]float32{9, 9}, 2)), vm.ErrBusy, "two that write do not wait for each other")
	require.Empty(t, stepped)
	require.NoError(t, letGo())
	require.NoError(t, <-stepped)
	require.Equal(t, 2.0, first(t, s, "w"))
}

func TestAWaitForReadersEndsWithItsContext(t *testing.T) {
	training, s, read, letGo := slowReader(t)
	read()
	enough := errors.New("enough")
	c, cancel := context.WithCancelCause(ctx)
	stepped, _ := waits(t, s, step(c, training))
	cancel(enough)
	require.ErrorIs(t, <-stepped, enough)
	require.Equal(t, 1.0, first(t, s, "w"), "the store is free for readers again")

	_, err := training.Run(c)
	require.ErrorIs(t, err, enough)
	require.NoError(t, letGo())
	_, err = training.Run(ctx)
	require.NoError(t, err)
	require.Equal(t, 2.0, first(t, s, "w"))
}

// Whoever sets a value waits as a training step does.
func TestSettingAValueWaitsForReaders(t *testing.T) {
	_, s, read, letGo := slowReader(t)
	read()
	set, _ := waits(t, s, func() error { return s.Set("w", f32([]float32{5, 5}, 2)) })
	require.NoError(t, letGo())
	require.NoError(t, <-set)
	require.Equal(t, 5.0, first(t, s, "w"))
}

// Readers come and go in crowds; every step is made.
func TestReadersDoNotEndATraining(t *testing.T) {
	_, loss := counter()
	training, s := machine(t, []*graph.Node{loss}, vm.Train)
	p, err := vm.Compile(ref.Engine{}, graph.Inference(loss))
	require.NoError(t, err)
	stop := make(chan struct{})
	var group sync.WaitGroup
	for range 4 {
		m, err := p.NewMachine(s)
		require.NoError(t, err)
		group.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := m.Run(ctx, f32([]float32{1}, 1)); err != nil && !errors.Is(err, vm.ErrBusy) {
					t.Error(err)
					return
				}
			}
		})
	}
	before := s.Writes("w")
	for range 500 {
		_, err := training.Run(ctx, f32([]float32{1}, 1))
		if err != nil {
			t.Error(err)
			break
		}
	}
	close(stop)
	group.Wait()
	require.Equal(t, uint64(500), s.Writes("w")-before)
}
