package inspect

import (
	"context"
	"errors"
	"fmt"
	"image"
	"slices"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/isnil"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// Patch is the part of an image that a channel sees at a position that excites it.
type Patch struct {
	Peak
	Field image.Rectangle // its receptive field in the image
	// Pixels is the image in the field, preprocessed as for the network, (C,h,w). Reconstruction is
	// the deconvnet's reconstruction of the activation, in the same form.
	Pixels, Reconstruction []float32
}

// Patches returns the patches of the images of ds at the peaks of a convolution, by channel and
// peak as in [Survey.Peaks]. One program reconstructs all. If fields are large, [Network.EachPatch]
// needs less memory.
func (n *Network) Patches(ctx context.Context, ds data.Dataset, c Convolution, peaks [][]Peak) ([][]Patch, error) {
	all := make([][]Patch, len(peaks))
	err := n.EachPatch(ctx, ds, c, peaks, func(channel int, p Patch) error {
		all[channel] = append(all[channel], p)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// EachPatch is [Network.Patches] that calls see with one patch after the other, channel by channel.
// An error of see ends it.
func (n *Network) EachPatch(ctx context.Context, ds data.Dataset, c Convolution, peaks [][]Peak, see func(channel int, p Patch) error) error {
	switch {
	case !n.has(c.Node):
		return errNotOfNet
	case isnil.Of(ds):
		return errNoData
	case see == nil:
		return errors.New("inspect: the function see is nil")
	}
	d, err := n.newDeconvnet(c.Node)
	if err != nil {
		return prefixed(err)
	}
	flat, channels := flatten(peaks)
	for i := 0; i < len(flat); i += batchSize {
		end := min(i+batchSize, len(flat))
		some, err := n.rebuild(ctx, d, ds, channels[i:end], flat[i:end])
		if err != nil {
			return prefixed(err)
		}
		for k, p := range some {
			if err := see(channels[i+k], p); err != nil {
				return err
			}
		}
	}
	return nil
}

// flatten lists all peaks with their channels.
func flatten(peaks [][]Peak) (flat []Peak, channels []int) {
	for channel := range peaks {
		for _, p := range peaks[channel] {
			flat, channels = append(flat, p), append(channels, channel)
		}
	}
	return flat, channels
}

// rebuild returns the patches of a batch of peaks.
func (n *Network) rebuild(ctx context.Context, d *deconvnet, ds data.Dataset, channels []int, peaks []Peak) (all []Patch, err error) {
	size, maps := n.Input().Len(), d.of.Type()
	for i, p := range peaks {
		if c := channels[i]; c >= maps.Int(1) || p.Y < 0 || p.X < 0 || p.Y >= maps.Int(2) || p.X >= maps.Int(3) {
			return nil, fmt.Errorf("channel %d has no place (%d,%d) in maps %v", c, p.Y, p.X, maps.Shape)
		}
	}
	x, err := read(ds, peaks, size)
	if err != nil {
		return nil, err
	}
	made, err := d.reconstruct(ctx, x, channels, peaks)
	if err != nil {
		return nil, err
	}
	for k, p := range peaks {
		field, err := n.Field(d.of, p.Y, p.X)
		if err != nil {
			return nil, err
		}
		all = append(all, Patch{
			Peak: p, Field: field,
			Pixels:         crop(x[k*size:(k+1)*size], n.Input(), field),
			Reconstruction: crop(made[k*size:(k+1)*size], n.Input(), field),
		})
	}
	return all, nil
}

// read returns the images of peaks, one after the other.
func read(ds data.Dataset, peaks []Peak, size int) ([]float32, error) {
	x := make([]float32, len(peaks)*size)
	for k, p := range peaks {
		if _, err := Example(ds, p.Example, x[k*size:(k+1)*size]); err != nil {
			return nil, err
		}
	}
	return x, nil
}

// Example reads input i of ds into x, and returns its class, or -1 if it has none.
func Example(ds data.Dataset, i int, x []float32) (class int, err error) {
	if isnil.Of(ds) {
		return -1, errNoData
	}
	info := ds.Info()
	e := data.Example{X: x}
	if info.Target.DType == shape.Int32 {
		e.Labels = make([]int32, info.Target.Len())
	} else {
		e.Targets = make([]float32, info.Target.Len())
	}
	if err := ds.Read(i, e); err != nil {
		return -1, err
	}
	if len(e.Labels) == 1 {
		return int(e.Labels[0]), nil
	}
	return -1, nil
}

// crop cuts a rectangle out of every channel of an image of type t.
func crop(x []float32, t shape.Type, r image.Rectangle) (part []float32) {
	h, w := t.Int(1), t.Int(2)
	for plane := range slices.Chunk(x, h*w) {
		for y := r.Min.Y; y < r.Max.Y; y++ {
			part = append(part, plane[y*w+r.Min.X:y*w+r.Max.X]...)
		}
	}
	return part
}

// deconvnet reconstructs single activations.
type deconvnet struct {
	of        *graph.Node // the network's own node
	program   *program
	x, unit   *graph.Node
	positions int // number of positions of a map
	width     int
}

func (n *Network) newDeconvnet(of *graph.Node) (*deconvnet, error) {
	outs := Deconvnet(n.input, of)
	x, a := outs[0], outs[1]
	t := a.Type()
	if t.Rank() != 4 {
		return nil, fmt.Errorf("%v is %v; want activation maps (N,C,h,w)", a, t)
	}
	d := &deconvnet{of: of, x: x, unit: x.Graph().Input("inspect.unit", shape.I32(shape.N)), positions: t.Int(2) * t.Int(3), width: t.Int(3)}
	one := ops.OneHot(d.unit, t.Int(1)*d.positions, a)
	dy := ops.Reshape(one, t.Dims()...)
	var err error
	d.program, err = n.compile(autodiff.VJP(a, dy, x)[0])
	return d, err
}

// reconstruct returns an image for each activation. The activations are at channels and peaks of
// the images x.
func (d *deconvnet) reconstruct(ctx context.Context, x []float32, channels []int, peaks []Peak) ([]float32, error) {
	units := make([]int, len(peaks))
	for i, p := range peaks {
		units[i] = channels[i]*d.positions + p.Y*d.width + p.X
	}
	got, err := d.program.run(ctx, feeds{d.x: dense(d.x, x), d.unit: ids(units)})
	if err != nil {
		return nil, err
	}
	return engine.AppendFloat32s(nil, got[0]), nil
}
