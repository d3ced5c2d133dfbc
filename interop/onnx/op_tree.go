package onnx

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/plexaura/plexaura/interop/onnx/ir"
)

// An ensemble is trees of decisions. Each row (F) of an input goes from the root of each tree to a leaf, whose weights are
// gathered by target.
type ensemble struct {
	nodes   []treeNode
	roots   []int
	targets int
	base    []float64 // by target, or one of all, or none
	gather  gathering
	post    string
}

// A treeNode decides by a feature or, if it is a leaf, has weights.
type treeNode struct {
	mode    string
	feature int
	value   float64
	members []float64
	missing bool   // NaN goes to the first child
	child   [2]int // if the decision is true, and if it is not
	weights []treeWeight
}

type treeWeight struct {
	target int
	weight float64
}

// gathering is how the weights of trees become one.
type gathering string

const (
	gatherMean gathering = "AVERAGE"
	gatherSum  gathering = "SUM"
	gatherMin  gathering = "MIN"
	gatherMax  gathering = "MAX"
)

var gatherings = []string{string(gatherMean), string(gatherSum), string(gatherMin), string(gatherMax)}

const leaf = "LEAF"

// treeModes are those of nodes, by number.
var treeModes = []string{"BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", "BRANCH_MEMBER"}

// treePosts are what may become of the sums of a row, by number.
var treePosts = []string{"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"}

// decide reports whether v goes to the first child.
func (n *treeNode) decide(v float64) bool {
	if math.IsNaN(v) && n.missing {
		return true
	}
	switch n.mode {
	case "BRANCH_LEQ":
		return v <= n.value
	case "BRANCH_LT":
		return v < n.value
	case "BRANCH_GTE":
		return v >= n.value
	case "BRANCH_GT":
		return v > n.value
	case "BRANCH_EQ":
		return v == n.value
	case "BRANCH_NEQ":
		return v != n.value
	}
	return slices.Contains(n.members, v)
}

// row sets scores, and has where there are some, to what the trees give for the features x.
func (e *ensemble) row(scores []float64, has []bool, x []float64) {
	clear(scores)
	clear(has)
	for _, at := range e.roots {
		n := &e.nodes[at]
		for n.mode != leaf {
			if n.decide(x[n.feature]) {
				n = &e.nodes[n.child[0]]
			} else {
				n = &e.nodes[n.child[1]]
			}
		}
		for _, w := range n.weights {
			s := &scores[w.target]
			switch {
			case !has[w.target]:
				*s = w.weight
			case e.gather == gatherMin:
				*s = min(*s, w.weight)
			case e.gather == gatherMax:
				*s = max(*s, w.weight)
			default:
				*s += w.weight
			}
			has[w.target] = true
		}
	}
	if e.gather == gatherMean {
		for i := range scores {
			scores[i] /= float64(len(e.roots))
		}
	}
}

// transform is what becomes of the sums of a row.
func (e *ensemble) transform(v []float64) {
	most := math.Inf(-1)
	for _, x := range v {
		most = max(most, x)
	}
	switch e.post {
	case "LOGISTIC":
		for i, x := range v {
			v[i] = 1 / (1 + math.Exp(-x))
		}
	case "PROBIT":
		for i, x := range v {
			v[i] = math.Sqrt2 * math.Erfinv(2*x-1)
		}
	case "SOFTMAX", "SOFTMAX_ZERO":
		const zero = 1e-7 // what is less stays 0 in the second
		sum := 0.
		for i, x := range v {
			if e.post == "SOFTMAX_ZERO" && math.Abs(x) <= zero {
				v[i] = x * math.Exp(-most)
				continue
			}
			v[i] = math.Exp(x - most)
			sum += v[i]
		}
		for i := range v {
			v[i] /= sum
		}
	}
}

// check refuses an ensemble that does not end, or that reads what is not there.
func (e *ensemble) check() {
	above := make([]int, len(e.nodes))
	for i := range e.nodes {
		n := &e.nodes[i]
		if n.mode == leaf {
			for _, w := range n.weights {
				if w.target < 0 || w.target >= e.targets {
					refuse("a leaf has a weight of target %d; there are %d", w.target, e.targets)
				}
			}
			continue
		}
		if !slices.Contains(treeModes, n.mode) || n.feature < 0 {
			refuse("node %d has mode %q and feature %d", i, n.mode, n.feature)
		}
		for _, k := range n.child {
			if k < 0 || k >= len(e.nodes) {
				refuse("node %d has the child %d; there are %d nodes", i, k, len(e.nodes))
			}
			above[k]++
		}
	}
	var free []int
	for i, n := range above {
		if n == 0 {
			free = append(free, i)
		}
	}
	done := 0
	for ; len(free) > 0; done++ {
		n := &e.nodes[free[len(free)-1]]
		free = free[:len(free)-1]
		if n.mode == leaf {
			continue
		}
		for _, k := range n.child {
			if above[k]--; above[k] == 0 {
				free = append(free, k)
			}
		}
	}
	if done < len(e.nodes) {
		refuse("the nodes of a tree are in a circle")
	}
	for _, r := range e.roots {
		if r < 0 || r >= len(e.nodes) {
			refuse("root %d; there are %d nodes", r, len(e.nodes))
		}
	}
	if len(e.base) > 1 && len(e.base) != e.targets {
		refuse("%d base values for %d targets", len(e.base), e.targets)
	}
}

// rows calls f with the features of each row of input x (N,F) or (F), in their order.
func (e *ensemble) rows(ctx context.Context, t *Tensor, f func(i int, x []float64)) error {
	n, width := 1, t.Len()
	if len(t.Dims) > 1 {
		n = t.Dims[0]
		width = product(t.Dims[1:])
	}
	for _, node := range e.nodes {
		if node.mode != leaf && node.feature >= width {
			return fmt.Errorf("a node reads feature %d of %v", node.feature, t)
		}
	}
	all := t.floats()
	for i := range n {
		if err := ctx.Err(); err != nil {
			return err
		}
		f(i, all[i*width:][:width])
	}
	return nil
}

// numberOfRows is N of an input (N,F) or (F).
func numberOfRows(t *Tensor) int {
	if len(t.Dims) > 1 {
		return t.Dims[0]
	}
	return 1
}

// listOf returns an attribute of integers, of the length that the first of a family has.
func (c *call) listOf(name string, n int) []int {
	v := c.intsAttr(name, nil)
	if v == nil && name == "nodes_missing_value_tracks_true" {
		return make([]int, n)
	}
	if len(v) != n {
		refuse("attribute %s has %d elements; want %d", name, len(v), n)
	}
	return v
}

// tensorAttr returns the elements of an attribute that is a tensor, nil if it is left out.
func (c *call) tensorAttr(name string) []float64 {
	a := c.typed(name, ir.AttributeTensor)
	if a == nil || a.Tensor == nil {
		return nil
	}
	t, err := c.ev.m.tensor(a.Tensor)
	if err != nil {
		panic(refusal{err})
	}
	if t.Type == ir.String {
		refuse("attribute %s has strings", name)
	}
	return t.floats()
}

// eitherAttr returns the numbers of an attribute, or those of the tensor that files of later versions have.
func (c *call) eitherAttr(name string) []float64 {
	if v := c.floatsAttr(name); v != nil {
		return v
	}
	return c.tensorAttr(name + "_as_tensor")
}

func (c *call) stringsAttr(name string) []string {
	if a := c.typed(name, ir.AttributeStrings); a != nil {
		return a.Strings
	}
	return nil
}

// choice returns the name of an attribute that is a number.
func (c *call) choice(name string, def int, names []string) string {
	k := c.intAttr(name, def)
	if k < 0 || k >= len(names) {
		refuse("attribute %s is %d; want 0 to %d", name, k, len(names)-1)
	}
	return names[k]
}

// treeEnsemble is the form of version 5 of the domain, whose leaves are apart from nodes.
func treeEnsemble(c *call) []*value {
	modes, splits := c.tensorAttr("nodes_modes"), c.tensorAttr("nodes_splits")
	targets, weights := c.intsAttr("leaf_targetids", nil), c.tensorAttr("leaf_weights")
	n := len(modes)
	e := &ensemble{targets: c.intAttr("n_targets", 1), roots: c.intsAttr("tree_roots", nil),
		gather: gathering(c.choice("aggregate_function", 1, gatherings)), post: c.choice("post_transform", 0, treePosts)}
	if len(splits) != n || len(targets) != len(weights) || e.targets < 1 || e.targets > maxFolded {
		refuse("%d modes, %d splits, %d targets of %d weights, n_targets %d", n, len(splits), len(targets), len(weights), e.targets)
	}
	features, missing := c.listOf("nodes_featureids", n), c.listOf("nodes_missing_value_tracks_true", n)
	members := c.tensorAttr("membership_values")
	var child, isLeaf [2][]int
	for k, name := range []string{"true", "false"} {
		child[k], isLeaf[k] = c.listOf("nodes_"+name+"nodeids", n), c.listOf("nodes_"+name+"leafs", n)
	}
	for i := range n {
		m := int(modes[i])
		if m < 0 || m >= len(treeModes) {
			refuse("the mode of node %d is %d", i, m)
		}
		node := treeNode{mode: treeModes[m], feature: features[i], value: splits[i], missing: missing[i] != 0}
		for k := range 2 {
			limit := n
			if node.child[k] = child[k][i]; isLeaf[k][i] != 0 {
				limit, node.child[k] = n+len(weights), node.child[k]+n
			}
			if child[k][i] < 0 || node.child[k] >= limit {
				refuse("node %d has the child %d", i, child[k][i])
			}
		}
		if node.mode == "BRANCH_MEMBER" { // the sets end with a NaN
			end := slices.IndexFunc(members, math.IsNaN)
			if end < 0 {
				end = len(members)
			}
			node.members, members = members[:end], members[min(end+1, len(members)):]
		}
		e.nodes = append(e.nodes, node)
	}
	for i, w := range weights {
		e.nodes = append(e.nodes, treeNode{mode: leaf, weights: []treeWeight{{targets[i], w}}})
	}
	e.check()
	if !elements[c.elem(0)].compute.IsFloat() {
		refuse("input 0 is %v; want floating point", c.value(0))
	}
	return c.regression(e, c.elem(0))
}

// regression returns the scores (N,targets) of all rows, in the given type. As in ONNX Runtime, one target is transformed by
// PROBIT alone, and of several those without a weight have no base value either.
func (c *call) regression(e *ensemble, to ir.DataType) []*value {
	return c.onHost(c.in, func(ctx context.Context, in []*Tensor) ([]*Tensor, error) {
		n := numberOfRows(in[0])
		out := make([]float64, n*e.targets)
		has := make([]bool, e.targets)
		err := e.rows(ctx, in[0], func(i int, x []float64) {
			scores := out[i*e.targets:][:e.targets]
			e.row(scores, has, x)
			for k := range scores {
				if has[k] || e.targets == 1 {
					scores[k] += e.baseOf(k)
				}
			}
			if e.targets > 1 || e.post == "PROBIT" {
				e.transform(scores)
			}
		})
		if err != nil {
			return nil, err
		}
		return []*Tensor{numbersTensor(to, out, n, e.targets)}, nil
	})
}

func (e *ensemble) baseOf(k int) float64 {
	switch len(e.base) {
	case 0:
		return 0
	case 1:
		return e.base[0]
	}
	return e.base[k]
}

// numbersTensor returns numbers in a floating-point type.
func numbersTensor(to ir.DataType, v []float64, dims ...int) *Tensor {
	if to == ir.Double {
		return &Tensor{Type: to, Dims: dims, Data: v}
	}
	return &Tensor{Type: to, Dims: dims, Data: elements[to].narrow(mapped(v, func(x float64) float32 { return float32(x) }))}
}

// treesOf reads the nodes of the earlier versions, whose weights have the attributes that begin with prefix.
func (c *call) treesOf(prefix string, targets int) *ensemble {
	trees := c.intsAttr("nodes_treeids", nil)
	n := len(trees)
	values, modes := c.eitherAttr("nodes_values"), c.stringsAttr("nodes_modes")
	ids, features, missing := c.listOf("nodes_nodeids", n), c.listOf("nodes_featureids", n), c.listOf("nodes_missing_value_tracks_true", n)
	yes, no := c.listOf("nodes_truenodeids", n), c.listOf("nodes_falsenodeids", n)
	if len(values) != n || len(modes) != n {
		refuse("%d nodes with %d values and %d modes", n, len(values), len(modes))
	}
	e := &ensemble{targets: targets, base: c.eitherAttr("base_values"), gather: gatherSum, post: c.stringAttr("post_transform", "NONE", treePosts...)}
	place := map[[2]int]int{}
	for i := range n {
		key := [2]int{trees[i], ids[i]}
		if _, twice := place[key]; twice {
			refuse("tree %d has two nodes %d", trees[i], ids[i])
		}
		place[key] = i
	}
	at := func(tree, id int) int {
		k, ok := place[[2]int{tree, id}]
		if !ok {
			refuse("tree %d has no node %d", tree, id)
		}
		return k
	}
	child := make([]bool, n)
	for i := range n {
		node := treeNode{mode: modes[i], feature: features[i], value: values[i], missing: missing[i] != 0}
		if node.mode == "BRANCH_MEMBER" {
			refuse("node %d has mode %s, which earlier versions do not have", i, node.mode)
		}
		if node.mode != leaf {
			node.child = [2]int{at(trees[i], yes[i]), at(trees[i], no[i])}
			child[node.child[0]], child[node.child[1]] = true, true
		}
		e.nodes = append(e.nodes, node)
	}
	for i := range n {
		if !child[i] {
			e.roots = append(e.roots, i)
		}
	}
	of := c.intsAttr(prefix+"_treeids", nil)
	nodes, to, weights := c.listOf(prefix+"_nodeids", len(of)), c.listOf(prefix+"_ids", len(of)), c.eitherAttr(prefix+"_weights")
	if len(weights) != len(of) {
		refuse("%d weights for %d leaves", len(weights), len(of))
	}
	for i := range of {
		k := at(of[i], nodes[i])
		e.nodes[k].weights = append(e.nodes[k].weights, treeWeight{to[i], weights[i]})
	}
	e.check()
	return e
}

func treeRegressor(c *call) []*value {
	n := c.intAttr("n_targets", 1)
	if n < 1 || n > maxFolded {
		refuse("attribute n_targets is %d", n)
	}
	e := c.treesOf("target", n)
	e.gather = gathering(c.stringAttr("aggregate_function", "SUM", gatherings...))
	return c.regression(e, ir.Float)
}

// treeClassifier returns the label and the scores of each row. Two classes of which weights have one only are decided by
// its score, as ONNX Runtime does.
func treeClassifier(c *call) []*value {
	names, numbers := c.stringsAttr("classlabels_strings"), c.intsAttr("classlabels_int64s", nil)
	classes := max(len(names), len(numbers))
	if classes < 1 || len(names) > 0 && len(numbers) > 0 {
		refuse("%d labels that are strings and %d integers", len(names), len(numbers))
	}
	e := c.treesOf("class", classes)
	k := classifier{ensemble: e, positive: true}
	seen := map[int]bool{}
	for _, n := range e.nodes {
		for _, w := range n.weights {
			seen[w.target] = true
			k.positive = k.positive && w.weight >= 0
		}
	}
	k.binary = classes == 2 && len(seen) == 1
	return c.onHost(c.in, func(ctx context.Context, in []*Tensor) ([]*Tensor, error) {
		n := numberOfRows(in[0])
		out, best := make([]float64, n*classes), make([]int, n)
		has := make([]bool, classes)
		err := e.rows(ctx, in[0], func(i int, x []float64) { best[i] = k.scores(out[i*classes:][:classes], has, x) })
		if err != nil {
			return nil, err
		}
		labels := &Tensor{Type: ir.Int64, Dims: []int{n}}
		if len(names) > 0 {
			labels.Type, labels.Data = ir.String, mapped(best, func(b int) string { return names[b] })
		} else {
			labels.Data = mapped(best, func(b int) int64 { return int64(numbers[b]) })
		}
		return []*Tensor{labels, numbersTensor(ir.Float, out, n, classes)}, nil
	})
}

// A classifier is an ensemble whose targets are classes.
type classifier struct {
	*ensemble
	binary   bool // of two classes, weights have one only
	positive bool // no weight is negative
}

// scores sets v to the scores of a row, and returns its class.
func (k *classifier) scores(v []float64, has []bool, x []float64) (best int) {
	k.row(v, has, x)
	if !k.binary {
		for i := range v {
			v[i] += k.baseOf(i)
		}
		for i := range v {
			if v[i] > v[best] {
				best = i
			}
		}
		k.transform(v)
		return best
	}
	score := v[0] + v[1]
	if n := len(k.base); n > 0 {
		score += k.base[n-1]
	}
	limit := 0.
	if k.positive {
		limit = .5
	}
	if score > limit {
		best = 1
	}
	if v[0], v[1] = -score, score; k.post == "PROBIT" || k.positive && k.post != "LOGISTIC" {
		v[0] = 1 - score
	}
	if k.post == "LOGISTIC" || k.post == "PROBIT" {
		k.transform(v)
	}
	return best
}
