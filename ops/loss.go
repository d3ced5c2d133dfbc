package ops

import (
	"fmt"
	"math"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// CrossEntropyOptions change [CrossEntropy]. The zero value changes nothing.
type CrossEntropyOptions struct {
	// LabelSmoothing, from 0 to 1, is the part of each target that is spread evenly over
	// all classes (Szegedy et al., 2016).
	LabelSmoothing float64
	// PerExample asks for the loss of every example, not for their mean.
	PerExample bool
}

// CrossEntropy returns the mean over all examples of -sum(q*log(softmax(logits))), where q is
// the target's distribution over the classes. As in PyTorch the classes are axis 1 of the
// logits (N,C,...), and axis 0 where they are (C) alone.
//
// The target is either a class number for every example, integers in the shape of the logits
// without the class axis, or a distribution in the type of the logits. A class number
// outside 0..C-1 is an error of the run. Each batch weighs by its own number of examples.
func CrossEntropy(logits, target *graph.Node, options ...CrossEntropyOptions) *graph.Node {
	const name = "CrossEntropy"
	if !valid(logits, target) {
		return graph.Apply(unbuilt(name), logits, target)
	}
	var o CrossEntropyOptions
	if len(options) > 0 {
		o = options[0]
	}
	axis, err := o.check(logits.Type(), target.Type())
	if err != nil {
		return logits.Graph().Reject(name, err, logits, target)
	}
	logP := LogSoftmax(logits, axis)
	loss := Neg(logLikelihood(logP, target, axis))
	if o.LabelSmoothing > 0 {
		even := Neg(Mean(logP, axis))
		loss = Add(MulScalar(loss, 1-o.LabelSmoothing), MulScalar(even, o.LabelSmoothing))
	}
	if o.PerExample {
		return loss
	}
	return Mean(loss)
}

// check returns the class axis.
func (o CrossEntropyOptions) check(logits, target shape.Type) (axis int, err error) {
	if err := wantFloat(logits); err != nil {
		return 0, err
	}
	if logits.Rank() == 0 {
		return 0, fmt.Errorf("logits are %v; want (N,C) or (N,C,...), with C classes", logits)
	}
	axis = min(1, logits.Rank()-1)
	if _, ok := logits.Dim(axis).Int(); !ok {
		return 0, fmt.Errorf("the classes of %v, axis %d, depend on the batch size: %w", logits, axis, shape.ErrSymbolic)
	}
	if s := o.LabelSmoothing; !(s >= 0 && s <= 1) {
		return 0, fmt.Errorf("label smoothing of %v; want 0 to 1", s)
	}
	switch ids := logits.Drop(axis); {
	case target == logits:
	case !target.IsInt():
		return 0, fmt.Errorf("the target is %v; want class numbers, integers %v, or distributions, %v", target, ids, logits)
	case target.Shape != ids:
		return 0, fmt.Errorf("class numbers are %v; for logits %v want %v", target, logits, ids)
	}
	return axis, nil
}

// logLikelihood returns sum(q*logP) along the class axis, q being the target. A class of
// which q is 0 does not count, even where logP is -Inf.
func logLikelihood(logP, target *graph.Node, axis int) *graph.Node {
	zero := Scalar(logP, 0)
	if !target.Type().IsInt() {
		void := And(Equal(target, zero), Equal(logP, Scalar(logP, math.Inf(-1))))
		return Sum(Mul(target, Where(void, zero, logP)), axis)
	}
	classes := logP.Type().Int(axis)
	hot := OneHot(target, classes, Cast(zero, shape.Bool)) // (N,...,C)
	if last := logP.Type().Rank() - 1; axis != last {
		perm := make([]int, 0, last+1)
		for i := range last {
			if i == axis {
				perm = append(perm, last)
			}
			perm = append(perm, i)
		}
		hot = Transpose(hot, perm...)
	}
	return Sum(Where(hot, logP, zero), axis)
}

// BinaryCrossEntropy returns the mean over all elements of
// -(q*log(p) + (1-q)*log(1-p)), where p is sigmoid(logits) and q the target, a probability,
// in the type of the logits. It stays finite for any finite logit.
func BinaryCrossEntropy(logits, target *graph.Node) *graph.Node {
	if bad := unlike("BinaryCrossEntropy", logits, target); bad != nil {
		return bad
	}
	return Mean(Sub(Softplus(logits), Mul(target, logits)))
}

// MSE returns the mean over all elements of the squared difference of x and target, which
// have one type: they do not broadcast.
func MSE(x, target *graph.Node) *graph.Node {
	if bad := unlike("MSE", x, target); bad != nil {
		return bad
	}
	return Mean(Square(Sub(x, target)))
}

// unlike returns nil where a and b have one floating-point type, and otherwise the invalid
// node of the named function.
func unlike(name string, a, b *graph.Node) *graph.Node {
	if !valid(a, b) {
		return graph.Apply(unbuilt(name), a, b)
	}
	err := sameType(a.Type(), b.Type())
	if err == nil {
		err = wantFloat(a.Type())
	}
	if err == nil {
		return nil
	}
	return a.Graph().Reject(name, err, a, b)
}
