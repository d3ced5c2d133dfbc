package train_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/vm"
)

// modelOnly is a store with the values of s that are the model's.
func modelOnly(t *testing.T, s *vm.Store) *vm.Store {
	t.Helper()
	out := vm.NewStore(s.Seed())
	for _, name := range s.Names() {
		if slices.Contains(optim.Kept(s.Names()), name) {
			continue
		}
		v, err := s.Value(name)
		require.NoError(t, err)
		require.NoError(t, out.Set(name, v))
	}
	return out
}

// The store of a finished run is trained on as one that holds nothing but the model: counters,
// moments and averages begin anew, and with them the schedule. Only Resume goes on.
func TestAStoreIsTrainedOnAfresh(t *testing.T) {
	named := recipe
	named.Name = "main"
	for name, first := range map[string]optim.Optimizer{"the same": recipe, "another": optim.RMSProp{Momentum: 0.5}, "with a name": named} {
		for _, saved := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				c := config(t)
				c.Folder, c.Optimizer = t.TempDir(), first
				used := fit(t, c).Checkpoint.Store
				if saved {
					used = load(t, c.Folder).Store
				}
				bare := modelOnly(t, used)
				require.Less(t, len(bare.Names()), len(used.Names()))
				require.Contains(t, bare.Names(), "norm.running_mean")

				train := func(s *vm.Store) (result []any) {
					c := config(t)
					c.Store = s
					r := fit(t, c)
					require.Same(t, s, r.Checkpoint.Store)
					require.Greater(t, r.Epochs[0].Rate, 0.009, "the schedule goes on")
					return []any{values(t, s), timeless(r.Epochs)}
				}
				require.Equal(t, train(bare), train(used))
			})
		}
	}
}

// deeper is the network, one level below.
var deeper = nn.Named("body", network)

func TestAStoreThatDoesNotFitIsRefused(t *testing.T) {
	trained := fit(t, config(t)).Checkpoint.Store
	all := []string{"conv.bias", "conv.weight", "norm.bias", "norm.running_mean", "norm.running_var", "norm.weight", "out.bias", "out.weight"}
	below := func(prefix string) (names []string) {
		for _, name := range all {
			names = append(names, prefix+name)
		}
		return names
	}
	for _, tt := range []struct {
		name   string
		want   train.MismatchError
		change func(c *train.Config)
	}{
		{"another head", train.MismatchError{Unused: []string{"head.bias", "head.weight"}}, func(c *train.Config) {
			require.NoError(t, c.Store.Init(linear(2, 48)...))
		}},
		{"one level deeper", train.MismatchError{Missing: below("body."), Unused: all}, func(c *train.Config) { c.Model = deeper }},
		{"one level deeper, any part", train.MismatchError{Missing: below("body."), Unused: all}, func(c *train.Config) {
			c.Model, c.Partial = deeper, []string{"*"}
		}},
		{"a part is missing", train.MismatchError{Missing: []string{"norm.running_var", "out.weight"}}, func(c *train.Config) {
			require.NoError(t, c.Store.Delete("norm.running_var"))
			require.NoError(t, c.Store.Delete("out.weight"))
		}},
		{"another type", train.MismatchError{Mismatched: []train.Difference{{Name: "out.bias", Have: shape.F32(5), Want: shape.F32(2)}}}, func(c *train.Config) {
			require.NoError(t, c.Store.Delete("out.bias"))
			require.NoError(t, c.Store.Set("out.bias", zeros(5)))
		}},
		{"empty", train.MismatchError{Missing: all}, func(c *train.Config) { c.Store = vm.NewStore(1) }},
		{"not all is asked for", train.MismatchError{Missing: all[6:]}, func(c *train.Config) {
			c.Store, c.Partial = vm.NewStore(1), []string{"conv.*", "norm.*"}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := config(t)
			var err error
			c.Store, err = trained.Snapshot()
			require.NoError(t, err)
			tt.change(&c)
			c.OnStart = func(train.Start) error { t.Error("it begins"); return nil }
			before := values(t, c.Store)
			result, err := train.Fit(context.Background(), c)
			require.Nil(t, result)
			var mismatch *train.MismatchError
			require.ErrorAs(t, err, &mismatch)
			require.Equal(t, &tt.want, mismatch)
			require.Equal(t, before, values(t, c.Store), "the store has changed")
		})
	}
}

// A run that cannot begin, whatever the reason, leaves the store as it is.
func TestARunThatCannotBeginLeavesTheStore(t *testing.T) {
	store := fit(t, config(t)).Checkpoint.Store
	before := values(t, store)
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o666))
	for want, change := range map[string]func(*train.Config){
		"no run folder":               func(c *train.Config) { c.Folder = file },
		`an Input of its own, "mask"`: func(c *train.Config) { c.Model, c.Partial = masked, []string{"*"} },
	} {
		c := config(t)
		c.Store = store
		change(&c)
		_, err := train.Fit(context.Background(), c)
		require.Error(t, err)
		require.Equal(t, before, values(t, store), want)
	}
}

// linear are the leaves of a head.
func linear(out, in int) []*graph.Node {
	g := graph.New()
	nn.Linear{Name: "head", Out: out}.Apply(nn.Root(g), g.Input("x", shape.F32(shape.N, shape.Dim(in))))
	return g.Leaves()
}

// What Partial names begins anew, the rest is used; and what Fit makes of it is whole, for
// prediction, evaluation and resuming.
func TestPartOfAStoreIsUsedWhereAskedFor(t *testing.T) {
	trained := fit(t, config(t)).Checkpoint.Store
	body := slices.Clone(network[:5])
	for name, tt := range map[string]struct {
		model   nn.Layer
		partial []string
		change  func(s *vm.Store)
		kept    []string
	}{
		"a new head": {append(slices.Clone(body), nn.Linear{Name: "head", Out: 2}), []string{"out.*", "head.*"}, nil, []string{"conv.weight", "norm.running_mean"}},
		"a head of another size": {network, []string{"out.*"}, func(s *vm.Store) {
			require.NoError(t, s.Delete("out.weight"))
			require.NoError(t, s.Set("out.weight", zeros(7, 48)))
		}, []string{"conv.weight", "norm.running_mean", "out.bias"}},
		"one of two heads": {network, []string{"head.*"}, func(s *vm.Store) {
			require.NoError(t, s.Init(linear(2, 48)...))
		}, []string{"conv.weight", "norm.running_mean", "out.bias", "out.weight"}},
		"nothing": {network, []string{"*"}, func(s *vm.Store) {
			for _, name := range s.Names() {
				require.NoError(t, s.Delete(name))
			}
		}, nil},
		"without random numbers, which weights do not have": {network, nil, func(s *vm.Store) {
			require.NoError(t, s.Delete("rng"))
		}, []string{"conv.weight", "norm.running_mean", "out.bias", "out.weight"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := config(t)
			var err error
			c.Store, err = trained.Snapshot()
			require.NoError(t, err)
			if tt.change != nil {
				tt.change(c.Store)
			}
			before := values(t, c.Store)
			c.Model, c.Partial, c.Folder = tt.model, tt.partial, t.TempDir()
			c.OnStart = func(s train.Start) error {
				for _, name := range tt.kept {
					require.Equal(t, before[name], floats(t, s.Checkpoint.Store, name), name)
				}
				return nil
			}
			result, err := train.Fit(stopAfter(&c, 5), c)
			require.ErrorIs(t, err, errStopped)
			require.NotContains(t, result.Checkpoint.Store.Names(), "head.step")

			for _, w := range []*train.Checkpoint{result.Checkpoint, load(t, c.Folder)} {
				p, err := train.NewPredictor(c.Model, w, ref.Engine{})
				require.NoError(t, err)
				_, err = p.Evaluate(context.Background(), c.Validation, nil)
				require.NoError(t, err)
				again := config(t)
				again.Model, again.Resume = c.Model, w
				require.Len(t, fit(t, again).Epochs, 3)
			}
		})
	}
}

// A name that two programs want is still one mistake.
func TestEveryMismatchIsListedOnce(t *testing.T) {
	c := config(t)
	w := fit(t, c).Checkpoint
	require.NoError(t, w.Store.Delete("conv.weight"))
	require.NoError(t, w.Store.Delete("norm.bias"))
	require.NoError(t, w.Store.Set("norm.bias", zeros(9)))
	resume, afresh := config(t), config(t)
	resume.Resume, afresh.Store = w, w.Store
	for _, c := range []train.Config{resume, afresh} {
		_, err := train.Fit(context.Background(), c)
		require.ErrorContains(t, err, "missing conv.weight; norm.bias is float32(9)")
		require.Equal(t, 1, strings.Count(err.Error(), "missing conv.weight"))
		require.Equal(t, 1, strings.Count(err.Error(), "norm.bias"))
	}
}

// An optimiser may train a part, as in fine-tuning; the rest stays, and predicts as it is where
// averages are kept.
func TestFitTrainsThePartThatIsMatched(t *testing.T) {
	c := config(t)
	store := fit(t, c).Checkpoint.Store
	before := values(t, store)
	c.Store, c.Folder = store, t.TempDir()
	c.Optimizer = optim.Recipe{Name: "head", Rule: optim.Adam{}, Match: []string{"out.*"}, Average: 0.9}
	result := fit(t, c)
	require.Equal(t, before["conv.weight"], floats(t, store, "conv.weight"))
	require.NotEqual(t, before["out.weight"], floats(t, store, "out.weight"))
	require.Equal(t, []float64{12}, floats(t, store, "head.step"))
	require.NotContains(t, store.Names(), "conv.weight.ema")
	for _, w := range []*train.Checkpoint{result.Checkpoint, load(t, c.Folder)} {
		require.True(t, w.Averaged)
		p, err := train.NewPredictor(network, w, ref.Engine{})
		require.NoError(t, err)
		e, err := p.Evaluate(context.Background(), c.Validation, nil)
		require.NoError(t, err)
		require.InDelta(t, result.Epochs[2].Validation.Loss(), e.Loss(), 1e-6)
	}
	c.Store, c.Resume, c.Epochs = nil, result.Checkpoint, 4
	require.Len(t, fit(t, c).Epochs, 4)
}

// A loss may have parameters of its own: they are trained and saved, and are no optimiser's.
func TestParametersOfALossAreUsedAgain(t *testing.T) {
	c := config(t)
	c.Loss = func(output, target *graph.Node) *graph.Node {
		scale := nn.Root(output.Graph()).Param("loss.scale", shape.F32(), nn.Constant(1))
		return ops.Add(ops.CrossEntropy(ops.Mul(output, scale), target), ops.MulScalar(ops.Square(scale), 0.1))
	}
	store := fit(t, c).Checkpoint.Store
	before := floats(t, store, "loss.scale")
	require.NotEqual(t, []float64{1}, before)
	c.Store = store
	c.OnStart = func(s train.Start) error {
		require.Equal(t, before, floats(t, store, "loss.scale"))
		return train.ErrStop
	}
	fit(t, c)
}
