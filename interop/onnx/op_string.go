package onnx

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
)

// Strings are computed with on the host.
var stringOperators = family{
	"StringConcat":     direct(2, 2, stringConcat),
	"StringSplit":      direct(1, 1, stringSplit),
	"StringNormalizer": direct(1, 1, stringNormalizer),
	"RegexFullMatch":   direct(1, 1, regexFullMatch),
	"TfIdfVectorizer":  direct(1, 1, tfIdf),
}

// classicOperators are those of the domain ai.onnx.ml.
var classicOperators = family{
	"LabelEncoder":           direct(1, 1, labelEncoder),
	"ArrayFeatureExtractor":  always(2, 2, arrayFeatureExtractor),
	"Binarizer":              always(1, 1, binarizer),
	"TreeEnsemble":           direct(1, 1, treeEnsemble),
	"TreeEnsembleRegressor":  direct(1, 1, treeRegressor),
	"TreeEnsembleClassifier": direct(1, 1, treeClassifier),
}

// strings refuses inputs that are none.
func (c *call) strings() {
	for k := range c.in {
		if v := c.value(k); v.elem != ir.String || v.isList {
			refuse("input %d is %v; want strings", k, v)
		}
	}
}

// paired calls f for the places of the elements of two tensors that broadcast, in the order of those of
// the result, whose extents it returns.
func paired(a, b *Tensor, f func(i, j int)) (dims []int, err error) {
	var s shape.Shape
	err = guarded(func() { s = broadcast(shape.OfInts(a.Dims...), shape.OfInts(b.Dims...)) })
	if err == nil {
		err = s.Err()
	}
	if err == nil && s.Len() > maxFolded {
		err = fmt.Errorf("%v has more than %d elements", s, maxFolded)
	}
	if err != nil {
		return nil, err
	}
	dims = s.Ints()
	for k := range product(dims) {
		f(placeIn(a.Dims, dims, k), placeIn(b.Dims, dims, k))
	}
	return dims, nil
}

// placeIn is the place of element k of a result in a tensor that broadcasts to it.
func placeIn(own, dims []int, k int) int {
	at, stride := 0, 1
	for a := len(dims) - 1; a >= 0; a-- {
		i := a - len(dims) + len(own)
		if i >= 0 {
			if own[i] > 1 {
				at += k % dims[a] * stride
			}
			stride *= own[i]
		}
		k /= dims[a]
	}
	return at
}

func stringConcat(c *call) []*value {
	c.strings()
	return c.onHost(c.in, func(_ context.Context, in []*Tensor) ([]*Tensor, error) {
		a, b := in[0].Data.([]string), in[1].Data.([]string)
		out := []string{}
		dims, err := paired(in[0], in[1], func(i, j int) { out = append(out, a[i]+b[j]) })
		return []*Tensor{{Type: ir.String, Dims: dims, Data: out}}, err
	})
}

// equalStrings is Equal for strings.
func equalStrings(c *call) []*value {
	c.strings()
	return c.onHost(c.in, func(_ context.Context, in []*Tensor) ([]*Tensor, error) {
		a, b := in[0].Data.([]string), in[1].Data.([]string)
		out := []bool{}
		dims, err := paired(in[0], in[1], func(i, j int) { out = append(out, a[i] == b[j]) })
		return []*Tensor{{Type: ir.Bool, Dims: dims, Data: out}}, err
	})
}

// stringSplit returns the parts along a new axis, as many as the string that has most; the others have
// empty ones. It also returns how many each has.
func stringSplit(c *call) []*value {
	c.strings()
	delimiter, most := c.stringAttr("delimiter", ""), c.intAttr("maxsplit", -1)
	return c.onHost(c.in, func(_ context.Context, in []*Tensor) ([]*Tensor, error) {
		words := in[0].Data.([]string)
		parts, counts := make([][]string, len(words)), make([]int64, len(words))
		width := 0
		for i, w := range words {
			parts[i] = splitString(w, delimiter, most)
			counts[i], width = int64(len(parts[i])), max(width, len(parts[i]))
		}
		if width > 0 && len(words) > maxFolded/width {
			return nil, fmt.Errorf("%d strings of up to %d parts have more than %d elements", len(words), width, maxFolded)
		}
		out := make([]string, 0, len(words)*width)
		for _, p := range parts {
			out = append(append(out, p...), make([]string, width-len(p))...)
		}
		return []*Tensor{{Type: ir.String, Dims: append(slices.Clone(in[0].Dims), width), Data: out}, intsTensor(counts, in[0].Dims...)}, nil
	})
}

// splitString splits at most so many times, if that is not negative: at white space, which is removed, if there is no delimiter.
func splitString(s, delimiter string, most int) []string {
	if delimiter != "" {
		if most >= 0 {
			most++
		}
		return strings.SplitN(s, delimiter, most)
	}
	if most < 0 {
		return strings.Fields(s)
	}
	var parts []string
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		end := strings.IndexFunc(s, func(r rune) bool { return strings.TrimSpace(string(r)) == "" })
		if end < 0 || len(parts) == most {
			return append(parts, s)
		}
		parts, s = append(parts, s[:end]), s[end:]
	}
	return parts
}

// stringNormalizer changes the case of strings and leaves out those that are stop words.
func stringNormalizer(c *call) []*value {
	c.strings()
	change := c.stringAttr("case_change_action", "NONE", "NONE", "LOWER", "UPPER")
	sensitive := c.flag("is_case_sensitive", false)
	stop := map[string]bool{}
	if a := c.typed("stopwords", ir.AttributeStrings); a != nil {
		for _, w := range a.Strings {
			if !sensitive {
				w = strings.ToLower(w)
			}
			stop[w] = true
		}
	}
	dims := c.shape(0)
	if dims.Rank() < 1 || dims.Rank() > 2 || dims.Rank() == 2 && dims.Dim(0) != 1 {
		refuse("input 0 is %v; want (C) or (1,C)", c.value(0))
	}
	return c.onHost(c.in, func(_ context.Context, in []*Tensor) ([]*Tensor, error) {
		out := []string{}
		for _, w := range in[0].Data.([]string) {
			key := w
			if !sensitive {
				key = strings.ToLower(w)
			}
			switch {
			case stop[key]:
				continue
			case change == "LOWER":
				w = strings.ToLower(w)
			case change == "UPPER":
				w = strings.ToUpper(w)
			}
			out = append(out, w)
		}
		if len(out) == 0 {
			out = []string{""}
		}
		dims := slices.Clone(in[0].Dims)
		dims[len(dims)-1] = len(out)
		return []*Tensor{{Type: ir.String, Dims: dims, Data: out}}, nil
	})
}

func regexFullMatch(c *call) []*value {
	c.strings()
	pattern, err := regexp.Compile(`\A(?:` + c.stringAttr("pattern", "") + `)\z`)
	if err != nil {
		panic(refusal{err})
	}
	return c.onHost(c.in, func(_ context.Context, in []*Tensor) ([]*Tensor, error) {
		return []*Tensor{{Type: ir.Bool, Dims: in[0].Dims, Data: mapped(in[0].Data.([]string), pattern.MatchString)}}, nil
	})
}

// entries are those of a list of any type, for use as keys of maps: strings, int64 or float64.
func entries(t *Tensor) []any {
	if v, ok := t.Data.([]string); ok {
		return mapped(v, func(s string) any { return s })
	}
	if v, ok := t.ints(); ok {
		return mapped(v, func(i int64) any { return i })
	}
	return mapped(t.floats(), func(f float64) any { return f })
}

// listAttr returns the attribute of one of the types that a name has, as a vector, or nil.
func (c *call) listAttr(name string) *Tensor {
	if a := c.typed(name+"_strings", ir.AttributeStrings); a != nil {
		return &Tensor{Type: ir.String, Dims: []int{len(a.Strings)}, Data: a.Strings}
	}
	if a := c.typed(name+"_int64s", ir.AttributeInts); a != nil {
		return intsTensor(a.Ints, len(a.Ints))
	}
	if a := c.typed(name+"_floats", ir.AttributeFloats); a != nil {
		return &Tensor{Type: ir.Float, Dims: []int{len(a.Floats)}, Data: a.Floats}
	}
	if a := c.typed(name+"_tensor", ir.AttributeTensor); a != nil && a.Tensor != nil {
		return c.tensor(a.Tensor)
	}
	return nil
}

// labelEncoder replaces each element by the value of its key.
func labelEncoder(c *call) []*value {
	keys, values := c.listAttr("keys"), c.listAttr("values")
	if keys == nil || values == nil || keys.Len() != values.Len() || keys.Type != c.elem(0) {
		refuse("%v for keys %v with values %v", c.value(0), keys, values)
	}
	def := c.missingLabel(values.Type)
	table := map[any]int{}
	for i, k := range entries(keys) {
		if _, twice := table[k]; !twice {
			table[k] = i
		}
	}
	all := &Tensor{Type: values.Type, Data: joinedData([]*Tensor{values, def})}
	return c.onHost(c.in, func(_ context.Context, in []*Tensor) ([]*Tensor, error) {
		places := mapped(entries(in[0]), func(k any) int {
			if i, ok := table[k]; ok {
				return i
			}
			return values.Len()
		})
		return []*Tensor{{Type: values.Type, Dims: in[0].Dims, Data: gathered(all, places, 1)}}, nil
	})
}

// missingLabel is what an element becomes that is no key.
func (c *call) missingLabel(e ir.DataType) *Tensor {
	if a := c.typed("default_tensor", ir.AttributeTensor); a != nil && a.Tensor != nil {
		t := c.tensor(a.Tensor)
		if t.Type != e || t.Len() != 1 {
			refuse("default_tensor is %v; want one element of type %v", t, e)
		}
		return t
	}
	switch e {
	case ir.String:
		return &Tensor{Type: e, Data: []string{c.stringAttr("default_string", "_Unused")}}
	case ir.Int64:
		return intsTensor([]int64{int64(c.intAttr("default_int64", -1))})
	case ir.Float:
		return &Tensor{Type: e, Data: []float32{float32(c.floatAttr("default_float", 0))}}
	}
	refuse("values of type %v without default_tensor", e)
	return nil
}

func arrayFeatureExtractor(c *call) []*value {
	x, ids := c.node(0), c.node(1)
	rank := x.Type().Rank()
	if rank == 0 {
		refuse("input 0 is a scalar")
	}
	n := 1
	for _, d := range c.numbers(1, 0) {
		n *= d
	}
	y := ops.Gather(x, rank-1, ops.Reshape(ids, shape.Dim(n)))
	if rank == 1 {
		y = ops.Unsqueeze(y, 0)
	}
	return moved(y, c.elem(0))
}

func binarizer(c *call) []*value {
	x := c.node(0)
	return moved(convert(ops.Greater(x, ops.Scalar(x, c.floatAttr("threshold", 0))), x.Type().DType), c.elem(0))
}

// grams are the n-grams of a TfIdfVectorizer, as a tree: each node is reached by the elements of one.
type grams struct {
	next  map[any]*grams
	index int // among all, or -1
}

// tfIdf counts the n-grams of each row, whose elements may have others between them.
func tfIdf(c *call) []*value {
	least, most, skips := c.intAttr("min_gram_length", 1), c.intAttr("max_gram_length", 1), c.intAttr("max_skip_count", 0)
	mode := c.stringAttr("mode", "TF", "TF", "IDF", "TFIDF")
	pool := c.listAttr("pool")
	starts, columns := c.intsAttr("ngram_counts", nil), c.intsAttr("ngram_indexes", nil)
	if pool == nil || least < 1 || most < least || skips < 0 || len(columns) == 0 || slices.Min(columns) < 0 || slices.Max(columns) >= maxFolded {
		refuse("the attributes of n-grams are not valid")
	}
	if _, isText := pool.Data.([]string); isText != (c.elem(0) == ir.String) {
		refuse("%v for n-grams of type %v", c.value(0), pool.Type)
	}
	root, err := gramTree(entries(pool), starts, len(columns))
	if err != nil {
		panic(refusal{err})
	}
	var weights []float32
	if a := c.typed("weights", ir.AttributeFloats); a != nil {
		weights = a.Floats
	}
	if weights != nil && len(weights) != len(columns) {
		refuse("%d weights for %d n-grams", len(weights), len(columns))
	}
	if r := c.shape(0).Rank(); r > 2 {
		refuse("input 0 is %v; want (C) or (B,C)", c.value(0))
	}
	width := slices.Max(columns) + 1
	return c.onHost(c.in, func(ctx context.Context, in []*Tensor) ([]*Tensor, error) {
		dims := slices.Clone(in[0].Dims)
		rows := 1
		if len(dims) == 2 {
			rows = dims[0]
		}
		if rows > maxCarried/width {
			return nil, fmt.Errorf("%d rows of %d counts are too many", rows, width)
		}
		all := entries(in[0])
		out := make([]float32, rows*width)
		for r := range rows {
			n := len(all) / rows
			err := root.count(ctx, all[r*n:(r+1)*n], least, most, skips, func(gram int) {
				at, w := r*width+columns[gram], float32(1)
				if mode != "TF" && weights != nil {
					w = weights[gram]
				}
				if mode == "IDF" {
					out[at] = w
				} else {
					out[at] += w
				}
			})
			if err != nil {
				return nil, err
			}
		}
		if len(dims) < 2 {
			return []*Tensor{{Type: ir.Float, Dims: []int{width}, Data: out}}, nil
		}
		return []*Tensor{{Type: ir.Float, Dims: []int{rows, width}, Data: out}}, nil
	})
}

// gramTree reads the pool, in which the n-grams of n elements begin at starts[n-1].
func gramTree(pool []any, starts []int, count int) (*grams, error) {
	root := &grams{index: -1}
	gram := 0
	for k, start := range starts {
		end := len(pool)
		if k+1 < len(starts) {
			end = starts[k+1]
		}
		if start < 0 || end > len(pool) || start > end || (end-start)%(k+1) != 0 {
			return nil, fmt.Errorf("ngram_counts %v for a pool of %d", starts, len(pool))
		}
		for at := start; at < end; at += k + 1 {
			if gram >= count {
				return nil, errors.New("there are more n-grams than ngram_indexes")
			}
			root.add(pool[at:at+k+1], gram)
			gram++
		}
	}
	return root, nil
}

func (g *grams) add(elements []any, index int) {
	for _, e := range elements {
		if g.next == nil {
			g.next = map[any]*grams{}
		}
		if g.next[e] == nil {
			g.next[e] = &grams{index: -1}
		}
		g = g.next[e]
	}
	g.index = index
}

// count calls found for each n-gram of a row, of least to most elements. Between the elements there may
// be the same number of others each time, up to skips. Single elements are counted once.
func (g *grams) count(ctx context.Context, row []any, least, most, skips int, found func(gram int)) error {
	for step := 1; step <= min(skips+1, max(1, len(row))); step++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		for start := range row {
			at := g
			for n, i := 1, start; n <= most && i < len(row); n, i = n+1, i+step {
				if at = at.next[row[i]]; at == nil {
					break
				}
				if at.index >= 0 && n >= least && (n > 1 || step == 1) {
					found(at.index)
				}
			}
		}
	}
	return nil
}
