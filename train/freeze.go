package train

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/patterns"
	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/internal/shards"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/vm"
)

// checkFreeze checks Freeze and UnfreezeAt, before there is a graph.
func (c Config) checkFreeze() error {
	switch {
	case c.UnfreezeAt == 0:
	case len(c.Freeze) == 0:
		return fmt.Errorf("UnfreezeAt is %d, but nothing is frozen; name parameters in Freeze", c.UnfreezeAt)
	case c.UnfreezeAt < 2 || c.UnfreezeAt > c.Epochs:
		return fmt.Errorf("UnfreezeAt is %d; want an epoch from 2 to the last, %d, or 0 for never", c.UnfreezeAt, c.Epochs)
	}
	return patterns.Check("Freeze", c.Freeze)
}

// frozen checks that the parameters of g are frozen that should be, and tells optimisers of those that no longer are.
func (h how) frozen(g *graph.Graph) error {
	if len(h.freeze)+len(h.late) == 0 || g.Err() != nil {
		return nil
	}
	var names, stray []string
	var late []*graph.Node
	for _, n := range g.Leaves() {
		if n.Kind() != graph.Param {
			continue
		}
		names = append(names, n.Name())
		if patterns.Any(h.freeze, n.Name()) && !n.Frozen() {
			stray = append(stray, n.Name())
		}
		if patterns.Any(h.late, n.Name()) && !n.Frozen() {
			late = append(late, n)
		}
	}
	optim.Late(g, late...)
	switch {
	case len(stray) > 0:
		return fmt.Errorf("Freeze: the model makes %s without nn.Scope; freeze them there, by graph.Graph.FrozenParam", plain.Names(stray, shown))
	case len(g.Params()) == 0:
		return fmt.Errorf("Freeze: %s leave no parameter to train", quoted(h.freeze))
	}
	return patterns.Used("Freeze", h.freeze, names)
}

func quoted(all []string) string {
	var q []string
	for _, p := range all {
		q = append(q, fmt.Sprintf("%q", plain.Name(p)))
	}
	return strings.Join(q, ", ")
}

// later is what trains from Config.UnfreezeAt on.
type later struct {
	programs programs
	team     *shards.Team
}

// thawed reports whether the run is in an epoch in which nothing is frozen any more.
func (r *run) thawed() bool {
	return r.UnfreezeAt > 0 && len(r.state.Progress.Epochs)+1 >= r.UnfreezeAt
}

// how says how the graph of the present part of the run computes.
func (r *run) how() how {
	h := how{mixed: r.batches.Info().Target, fed: r.Gradients != nil, team: r.team, local: r.LocalBatchNorm, freeze: r.Freeze}
	if r.thawed() {
		h.freeze, h.late = nil, r.Freeze
	}
	return h
}

// prepareLater makes the programs for the epochs in which nothing is frozen, so that mistakes show before the first step.
func (r *run) prepareLater() error {
	if r.UnfreezeAt == 0 || r.thawed() {
		return nil
	}
	h := r.how()
	h.freeze, h.late, h.team = nil, r.Freeze, r.laterTeam
	net, err := build(r.Model, r.info, r.Loss, r.Optimizer, h)
	if err != nil {
		return err
	}
	r.later = &later{team: h.team}
	if r.later.programs, err = r.compile(net); err != nil {
		return err
	}
	m, err := r.trainingMemory(r.later.programs, h.team, r.size())
	if size := func(m vm.Memory) int { return m.Arena + m.Leaves + m.Packed }; size(m) > size(r.start.Train) {
		r.start.Train = m
	}
	return err
}

// unfreeze takes up the later programs, if their epoch begins.
func (r *run) unfreeze(ctx context.Context) error {
	if r.later == nil || !r.thawed() {
		return nil
	}
	err := r.closeGradients()
	old := r.team
	r.programs, r.team = r.later.programs, r.later.team
	r.later, r.laterTeam = nil, nil
	if err == nil {
		err = r.attach(r.programs)
	}
	if old != nil {
		err = errors.Join(err, old.Close())
	}
	r.before = nil // a program of one part of the run cannot repeat the steps of the other
	r.writes = r.written()
	if err = r.together(ctx, err); err != nil {
		return fmt.Errorf("unfreezing at epoch %d: %w", r.UnfreezeAt, err)
	}
	return nil
}

// matchResumed returns a [MismatchError] if the store of the checkpoint lacks something. Between the last epoch in
// which some parameters were frozen and the next one, it may lack what the optimiser will keep of them.
func (r *run) matchResumed(p programs) error {
	e, err := mismatches(r.state.Store, p.leaves(), nil)
	if err != nil {
		return err
	}
	if progress := r.state.Progress; r.UnfreezeAt > 0 && len(progress.Epochs)+1 == r.UnfreezeAt && progress.Batch == 0 {
		h := r.how()
		h.freeze, h.late, h.team = r.Freeze, nil, nil
		before, err := build(r.Model, r.info, r.Loss, r.Optimizer, h)
		if err != nil {
			return err
		}
		known := slices.Clone(before.kept)
		for _, n := range before.Leaves {
			known = append(known, n.Name())
		}
		e.Missing = slices.DeleteFunc(e.Missing, func(name string) bool { return !slices.Contains(known, name) })
	}
	return e.orNil()
}
