package main

// updates are the steps of optimisers, in one pass over memory.
func updates() []*loop {
	sgd := func(name, doc string, nesterov bool) *loop {
		return &loop{name: name, doc: doc, live: 3,
			params: "n int, w, v, grad *float32, lr, mu, decay float32",
			in:     []string{"w", "v", "grad"}, out: []string{"w", "v"},
			scalars: []string{"lr", "mu", "decay"},
			body: func(e *lanes) []values {
				w, v, d := e.val("w"), e.val("v"), e.val("grad")
				e.addmul(d, w, e.val("decay"))
				e.horner(v, e.val("mu"), d)
				if nesterov {
					e.addmul(d, v, e.val("mu"))
					e.submul(w, d, e.val("lr"))
				} else {
					e.submul(w, v, e.val("lr"))
				}
				return []values{w, v}
			}}
	}
	return []*loop{
		sgd("sgd", "sets v to mu*v + d and w to w - lr*v, with d = grad + decay*w.", false),
		sgd("nesterov", "sets v to mu*v + d and w to w - lr*(d + mu*v), with d = grad + decay*w.", true),
		{name: "adam", live: 5,
			doc:    "sets m to b1*m + c1*d, v to b2*v + c2*d*d and w to keep*w - step*m/(scale*sqrt(v) + eps), with d = grad + decay*w.",
			params: "n int, w, m, v, grad *float32, b1, c1, b2, c2, step, scale, eps, keep, decay float32",
			in:     []string{"w", "m", "v", "grad"}, out: []string{"w", "m", "v"},
			scalars: []string{"b1", "c1", "b2", "c2", "step", "scale", "eps", "keep", "decay"},
			body: func(e *lanes) []values {
				w, m, v, d, t := e.val("w"), e.val("m"), e.val("v"), e.val("grad"), e.tmp()
				e.addmul(d, w, e.val("decay"))
				e.mul(m, m, e.val("b1"))
				e.addmul(m, d, e.val("c1"))
				e.mul(d, d, d)
				e.mul(v, v, e.val("b2"))
				e.addmul(v, d, e.val("c2"))
				e.sqrt(d, v)
				e.horner(d, e.val("scale"), e.val("eps"))
				e.mul(t, m, e.val("step"))
				e.div(t, t, d)
				e.mul(w, w, e.val("keep"))
				e.sub(w, w, t)
				return []values{w, m, v}
			}},
	}
}
