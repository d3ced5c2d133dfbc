package nn

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/plexaura/plexaura/graph"
)

// Replace returns model with another layer in place of the one at path, the prefix of its
// parameters' names: "fc", "classifier.6" or "layer1.0.conv1". If the new layer has no name, it
// gets the name of the old one. Parts are found in Sequential, Named, Residual, Frozen and Eval, at
// any depth. If there is no part at path, the error appears in the graph that the model is applied
// in.
func Replace(model Layer, path string, layer Layer) Layer {
	return edited(model, path, "Replace", surgery{part: func(name string, old []Layer) ([]Layer, error) {
		switch {
		case layer == nil:
			return nil, errors.New("the layer is nil")
		case label(layer) == "" && label(old[0]) != "": // otherwise its name would be its index
			return []Layer{Named(name, layer)}, nil
		}
		return []Layer{layer}, nil
	}})
}

// Until returns model up to and including the part at path: Until(resnet.ResNet18, "layer4") gives
// features (N,512,7,7). More layers can be appended; parameters keep their names. The model must be
// a Sequential, which may be in Named, Frozen or Eval. If there is no part at path, the error
// appears in the graph that the model is applied in.
func Until(model Layer, path string) Sequential {
	cut := edited(model, path, "Until", surgery{cut: true, part: func(_ string, old []Layer) ([]Layer, error) { return old, nil }})
	return children(cut)
}

// children returns l as a Sequential with the same names of parameters.
func children(l Layer) Sequential {
	var wrap func(Layer) Layer
	var within Layer
	switch l := l.(type) {
	case Sequential:
		return l
	case Frozen:
		within, wrap = l.Layer, func(l Layer) Layer { return Frozen{l} }
	case Eval:
		within, wrap = l.Layer, func(l Layer) Layer { return Eval{l} }
	}
	if wrap == nil || label(l) != "" {
		return Sequential{l}
	}
	s := slices.Clone(children(within))
	for i := range s {
		s[i] = wrap(s[i])
	}
	return s
}

// broken is a layer that could not be made. Applying it reports the error.
type broken struct {
	what string
	err  error
}

func (l broken) Apply(s Scope, x *graph.Node) *graph.Node {
	return s.Within("", x, func(s Scope) *graph.Node { return s.g.Reject(l.what, l.err, x) })
}

// surgery is an operation on a part of a model.
type surgery struct {
	part func(name string, old []Layer) ([]Layer, error)
	cut  bool // the layers after the part are dropped
}

func edited(model Layer, path, what string, o surgery) Layer {
	l, err := o.single(model, path)
	if err != nil {
		return broken{what, fmt.Errorf("no part %q: %w", path, err)}
	}
	return l
}

// within edits the part at path below l. The name of l is not part of path.
func (o surgery) within(l Layer, path string) (Layer, error) {
	switch l := l.(type) {
	case Sequential:
		return o.sequential(l, path)
	case named:
		part, err := o.single(l.layer, path)
		return named{l.name, part}, err
	case Frozen:
		part, err := o.within(l.Layer, path)
		return Frozen{part}, err
	case Eval:
		part, err := o.within(l.Layer, path)
		return Eval{part}, err
	case Residual:
		return o.residual(l, path)
	}
	return nil, fmt.Errorf("%T has no parts", l)
}

// single edits below the only inner layer of a layer, which may have a name of its own.
func (o surgery) single(l Layer, path string) (Layer, error) {
	name := label(l)
	if name == "" {
		return o.within(l, path)
	}
	parts, err := o.named(name, []Layer{l}, path)
	if err != nil {
		return nil, err
	}
	return parts[0], nil
}

// named edits one of the layers that share a name, or a part below one of them.
func (o surgery) named(name string, layers []Layer, path string) ([]Layer, error) {
	if path == name {
		return o.part(name, layers)
	}
	rest, ok := strings.CutPrefix(path, name+".")
	if !ok {
		return nil, fmt.Errorf("there is %q", name)
	}
	var first error
	for i, l := range layers {
		part, err := o.within(l, rest)
		if err != nil {
			first = cmp.Or(first, err)
			continue
		}
		layers = slices.Clone(layers)
		layers[i] = part
		if o.cut {
			layers = layers[:i+1]
		}
		return layers, nil
	}
	return nil, first
}

// sequential edits the children whose name path begins with; several may share a name.
func (o surgery) sequential(l Sequential, path string) (Layer, error) {
	var names []string
	for i := 0; i < len(l); i++ {
		name, end := nameOf(l, i), i+1
		if path != name && !strings.HasPrefix(path, name+".") {
			names = append(names, name)
			continue
		}
		for end < len(l) && label(l[end]) == name {
			end++
		}
		parts, err := o.named(name, l[i:end:end], path)
		if err != nil {
			return nil, err
		}
		if o.cut {
			return slices.Concat(l[:i], parts), nil
		}
		for len(parts) < end-i { // the index of each following layer is its name
			parts = append(parts, Named(name, Sequential{}))
		}
		return slices.Concat(l[:i], parts, l[end:]), nil
	}
	return nil, fmt.Errorf("there are %s", strings.Join(slices.Compact(names), ", "))
}

// nameOf returns the name of child i of l.
func nameOf(l Sequential, i int) string {
	if name := label(l[i]); name != "" {
		return name
	}
	return strconv.Itoa(i)
}

// residual edits the body, whose parts are named as if they were in the place of l, or the
// shortcut.
func (o surgery) residual(l Residual, path string) (Layer, error) {
	if o.cut {
		return nil, errors.New("a Residual cannot be cut inside; its result is a sum")
	}
	body, err := o.single(l.Body, path)
	if err == nil {
		l.Body = body
		return l, nil
	}
	if l.Shortcut == nil {
		return nil, err
	}
	name := label(l.Shortcut)
	if name == "" {
		name = "shortcut"
	}
	parts, other := o.named(name, []Layer{l.Shortcut}, path)
	if other != nil {
		return nil, errors.Join(err, other)
	}
	l.Shortcut = parts[0]
	return l, nil
}
