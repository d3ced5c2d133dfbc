package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/patterns"
	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/train/transfer"
	"github.com/plexaura/plexaura/vm"
)

// transferring are the settings of a run that begins with the weights of a file, or trains only a part of the model. Lists
// are as on the command line, parted by commas.
type transferring struct {
	From       string `json:"from,omitempty"`
	Partial    string `json:"partial,omitempty"`
	Replace    string `json:"replace,omitempty"`
	Head       bool   `json:"head,omitempty"`
	Freeze     string `json:"freeze,omitempty"`
	UnfreezeAt int    `json:"unfreeze_at,omitempty"`
	Scale      string `json:"lr_scale,omitempty"`
}

func (s *transferring) declare(c *call) {
	c.StringVar(&s.From, "from", "", "begin with the weights in a `file`: safetensors, .pt or .pth of PyTorch, or ONNX; what differs from the model is an error")
	c.StringVar(&s.Partial, "partial", "", "with -from, allow differences of these values: `patterns` over names, such as 'fc.*', parted by commas; '*' allows all")
	c.StringVar(&s.Replace, "replace", "", "with -from, make these values anew although the file has them: `patterns`, such as 'fc.*'")
	c.BoolVar(&s.Head, "head", false, "with -from, make the last layer anew if the file's has another shape: for another number of classes")
	c.StringVar(&s.Freeze, "freeze", "", "do not train these parameters: `patterns`, such as 'conv*,layer[12].*'")
	c.IntVar(&s.UnfreezeAt, "unfreeze-at", 0, "with -freeze, train all parameters from this `epoch` on; 0 means never")
	c.StringVar(&s.Scale, "lr-scale", "", "train parameters at a multiple of the learning rate: `patterns` with factors, such as 'conv*=0.1,fc1.*=0.5'")
}

// values are the settings by their flags.
func (s transferring) values() map[string]any {
	return map[string]any{
		"from": s.From, "partial": s.Partial, "replace": s.Replace, "head": s.Head, "freeze": s.Freeze, "unfreeze-at": s.UnfreezeAt, "lr-scale": s.Scale,
	}
}

// check refuses what needs no model to be seen wrong.
func (s transferring) check() error {
	for _, f := range []struct {
		name  string
		given bool
	}{{"partial", s.Partial != ""}, {"replace", s.Replace != ""}, {"head", s.Head}} {
		if f.given && s.From == "" {
			return usagef("-%s says how the weights of -from may differ; give that too", f.name)
		}
	}
	if s.UnfreezeAt != 0 && s.Freeze == "" {
		return usagef("-unfreeze-at %d: nothing is frozen; give -freeze too", s.UnfreezeAt)
	}
	_, err := s.scales()
	return err
}

// parts returns the parts of a list.
func parts(s string) []string {
	if s == "" {
		return nil
	}
	all := strings.Split(s, ",")
	for i, p := range all {
		all[i] = strings.TrimSpace(p)
	}
	return all
}

// rateScale is a factor of the learning rate.
type rateScale struct {
	pattern string
	factor  float64
}

// scales returns the factors of -lr-scale.
func (s transferring) scales() (all []rateScale, err error) {
	const most = 1e6
	for _, part := range parts(s.Scale) {
		i := strings.LastIndexByte(part, '=')
		if i <= 0 {
			return nil, usagef("-lr-scale %s: want PATTERN=FACTOR", plain.Name(part))
		}
		factor, err := strconv.ParseFloat(part[i+1:], 64)
		if err != nil || !(factor > 0) || factor > most || math.IsInf(factor, 0) {
			return nil, usagef("-lr-scale %s: the factor is above 0 and at most %g; use -freeze for what is not trained", plain.Name(part), most)
		}
		all = append(all, rateScale{part[:i], factor})
	}
	return all, nil
}

// groups are the groups of an optimiser with that learning rate.
func (s transferring) groups(rate float64) (groups []optim.Group) {
	scales, _ := s.scales()
	for _, f := range scales {
		groups = append(groups, optim.Group{Match: f.pattern, LR: rate * f.factor})
	}
	return groups
}

// begin reads the weights of -from, unless the run is resumed, and prints what became of them and what is frozen.
func (r *trainRun) begin() error {
	s := r.settings.transferring
	names, err := r.params()
	if err != nil {
		return err
	}
	var scaled []string
	scales, err := s.scales()
	if err != nil {
		return err
	}
	for _, f := range scales {
		scaled = append(scaled, f.pattern)
	}
	if err := errors.Join(patterns.Used("-freeze", parts(s.Freeze), names), patterns.Used("-lr-scale", scaled, names)); err != nil {
		return usagef("%s", plain.Line(err.Error()))
	}
	if s.From != "" && r.from == nil {
		start, err := transfer.From(s.From, transfer.Options{
			Model: r.model.layer(r.data.info()), Info: r.trainingInfo(), Loss: r.model.loss, Seed: r.settings.Seed,
			Replace: parts(s.Replace), Head: s.Head, Partial: parts(s.Partial), Freeze: parts(s.Freeze),
		})
		if differ := (*vm.LoadError)(nil); errors.As(err, &differ) {
			err = fmt.Errorf("%w; allow that by -partial, or have it made anew by -replace or -head", err)
		}
		if err != nil {
			return fmt.Errorf("-from: %w", err)
		}
		r.initial = start.Store
		if err := r.printf("from %s\n", strings.ReplaceAll(start.Report.String(), "\n", "\n  ")); err != nil {
			return err
		}
	}
	return r.tellFrozen(names)
}

// tellFrozen prints how much is frozen.
func (r *trainRun) tellFrozen(names []string) error {
	s, frozen := r.settings.transferring, 0
	for _, name := range names {
		if patterns.Any(parts(s.Freeze), name) {
			frozen++
		}
	}
	switch {
	case frozen == 0:
		return nil
	case s.UnfreezeAt > 0:
		return r.printf("frozen up to epoch %d: %d of %d parameters\n", s.UnfreezeAt-1, frozen, len(names))
	}
	return r.printf("frozen: %d of %d parameters\n", frozen, len(names))
}

// params lists the names of the model's parameters, if patterns over them are given.
func (r *trainRun) params() (names []string, err error) {
	if s := r.settings.transferring; s.Freeze == "" && s.Scale == "" {
		return nil, nil
	}
	net, err := train.Build(r.model.layer(r.data.info()), r.trainingInfo(), r.model.loss, nil)
	if err != nil {
		return nil, err
	}
	for _, n := range net.Leaves {
		if n.Kind() == graph.Param {
			names = append(names, n.Name())
		}
	}
	return names, nil
}

// trainingInfo describes the images that the model takes: those of the data, augmented.
func (r *trainRun) trainingInfo() data.Info {
	info := r.data.info()
	info.Input.Shape = r.model.image
	return info
}
