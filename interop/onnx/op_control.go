package onnx

import "github.com/plexaura/plexaura/interop/onnx/ir"

// controlOperators is a function because they evaluate graphs, and so refer to all families.
func controlOperators() family {
	return family{
		"Identity": direct(1, 1, func(c *call) []*value { return []*value{c.value(0)} }),
		"If":       direct(1, 1, ifElse),
	}
}

// ifElse evaluates one of two graphs. The condition must be known.
func ifElse(c *call) []*value {
	t := c.known(0)
	cond, ok := t.ints()
	if !ok || t.Type != ir.Bool || len(cond) != 1 {
		refuse("the condition is %v; want one bool", t)
	}
	name := "else_branch"
	if cond[0] != 0 {
		name = "then_branch"
	}
	return c.ev.graph(c.graphAttr(name), c.e.inner())
}
