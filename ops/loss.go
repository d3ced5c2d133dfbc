package ops

import (
	"fmt"
	"math"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// CrossEntropyOptions configure [CrossEntropy]. The zero value is the default.
type CrossEntropyOptions struct {
	// LabelSmoothing, from 0 to 1, is the fraction of each target that is spread evenly over all
	// classes (Szegedy et al., 2016).
	LabelSmoothing float64
	// Weights are those of the classes, for data in which some classes are rare: one number for each
	// class, from 0. The loss of an example counts as much as the weight of its label, and the mean
	// is weighted by these: it is divided by the sum of the weights of the labels, as in PyTorch. For
	// a distribution the term of each class has its weight, and the mean is over the examples. Nil
	// means 1 for all.
	Weights []float64
	// Ignore lists class numbers whose examples, or pixels, do not count, such as 255 for pixels that
	// nobody labelled. They need not be in 0..C-1. The mean is over the others; without any, it is 0,
	// where PyTorch has NaN.
	Ignore []int
	// PerExample returns the loss of every example instead of their mean.
	PerExample bool
}

// CrossEntropy returns the mean over all examples of -sum(q*log(softmax(logits))), where q is the
// target's distribution over the classes. As in PyTorch, the classes are axis 1 of the logits
// (N,C,...), or axis 0 of logits (C).
//
// The target is either a class number for every example, integers in the shape of the logits
// without the class axis, or a distribution, with the type of the logits. A class number outside
// 0..C-1 is an error of the run. Each batch is averaged over its own number of examples.
//
// Small losses are accurate, and so are their gradients: if the logit of the target is 20 above the
// others, the loss is log1p((C-1)*exp(-20)), which PyTorch rounds to 0 in Float32.
func CrossEntropy(logits, target *graph.Node, options ...CrossEntropyOptions) *graph.Node {
	var o CrossEntropyOptions
	if len(options) > 0 {
		o = options[0]
	}
	axis := 0
	bad := refused("CrossEntropy", func() (err error) {
		axis, err = o.check(logits.Type(), target.Type())
		return err
	}, logits, target)
	if bad != nil {
		return bad
	}
	logP := LogSoftmax(logits, axis)
	if o.Weights != nil || len(o.Ignore) > 0 {
		return o.weighted(logP, target, axis)
	}
	loss := Neg(logLikelihood(logP, target, axis))
	if o.LabelSmoothing > 0 {
		loss = o.smooth(loss, Neg(Mean(logP, axis)))
	}
	if o.PerExample {
		return loss
	}
	return Mean(loss)
}

// smooth mixes the loss of the targets with that of an even distribution.
func (o CrossEntropyOptions) smooth(loss, even *graph.Node) *graph.Node {
	return Add(MulScalar(loss, 1-o.LabelSmoothing), MulScalar(even, o.LabelSmoothing))
}

// weighted returns the loss with weights of classes and labels that do not count.
func (o CrossEntropyOptions) weighted(logP, target *graph.Node, axis int) *graph.Node {
	var weights *graph.Node
	if o.Weights != nil {
		weights = alongAxis(logP, axis, o.Weights)
	}
	each, ids, ignored := (*graph.Node)(nil), target.Type().IsInt(), anyOf(target, o.Ignore)
	if ignored != nil {
		target = Where(ignored, Scalar(target, 0), target)
	}
	q := target
	if weights != nil && !ids {
		q = Mul(target, weights)
	}
	loss := Neg(logLikelihood(logP, q, axis))
	if ids {
		each = labelWeights(logP, target, weights, axis)
		loss = Mul(loss, each)
	}
	if o.LabelSmoothing > 0 {
		even := logP
		if weights != nil {
			even = Mul(even, weights)
		}
		loss = o.smooth(loss, Neg(Mean(even, axis)))
	}
	if ignored != nil {
		zero := Scalar(loss, 0)
		loss, each = Where(ignored, zero, loss), Where(ignored, zero, each)
	}
	switch {
	case o.PerExample:
		return loss
	case each == nil:
		return Mean(loss)
	}
	total := Sum(each)
	none := Equal(total, Scalar(total, 0))
	return Where(none, Scalar(total, 0), Div(Sum(loss), Where(none, Scalar(total, 1), total)))
}

// labelWeights returns the weight of every label, in the shape of the target.
func labelWeights(logP, target, weights *graph.Node, axis int) *graph.Node {
	if weights == nil {
		return Cast(OnesLike(target), logP.Type().DType)
	}
	return Sum(Where(hotAlong(target, logP, axis), weights, Scalar(logP, 0)), axis)
}

// anyOf returns a Bool for every element of ids: it is one of labels. It is nil if there are none.
func anyOf(ids *graph.Node, labels []int) (is *graph.Node) {
	for _, v := range labels {
		if this := Equal(ids, Scalar(ids, float64(v))); is == nil {
			is = this
		} else {
			is = Or(is, this)
		}
	}
	return is
}

// alongAxis returns values, one for each index of an axis of x, such that they broadcast to x.
func alongAxis(x *graph.Node, axis int, values []float64) *graph.Node {
	t := x.Type()
	dims := []shape.Dim{shape.Dim(len(values))}
	for range t.Rank() - axis - 1 {
		dims = append(dims, 1)
	}
	return x.Graph().Const(shape.Make(t.DType, dims...), values)
}

// checkWeights returns an error unless there is a weight for each of n classes.
func checkWeights(name string, weights []float64, n int) error {
	if len(weights) != n {
		return fmt.Errorf("%d %s for %d classes; want one for each", len(weights), name, n)
	}
	sum := 0.
	for i, w := range weights {
		if !(w >= 0) || math.IsInf(w, 1) {
			return fmt.Errorf("%s of class %d is %v; want a finite number from 0", name, i, w)
		}
		sum += w
	}
	if sum == 0 {
		return fmt.Errorf("all %s are 0; want some class to count", name)
	}
	return nil
}

// check returns the class axis.
func (o CrossEntropyOptions) check(logits, target shape.Type) (axis int, err error) {
	if err := wantFloat(logits); err != nil {
		return 0, err
	}
	if axis, err = classAxis(logits); err != nil {
		return 0, err
	}
	if s := o.LabelSmoothing; !(s >= 0 && s <= 1) {
		return 0, fmt.Errorf("label smoothing of %v; want 0 to 1", s)
	}
	if o.Weights != nil {
		if err := checkWeights("Weights", o.Weights, logits.Int(axis)); err != nil {
			return 0, err
		}
	}
	switch ids := logits.Drop(axis); {
	case target == logits && len(o.Ignore) > 0:
		return 0, fmt.Errorf("the target is a distribution %v; only class numbers can be ignored", target)
	case target == logits:
	case target.IsStorage():
		return 0, integers.admits("class numbers are", target)
	case !target.IsInt():
		return 0, fmt.Errorf("the target is %v; want class numbers, integers %v, or distributions, %v", target, ids, logits)
	case target.Shape != ids:
		return 0, fmt.Errorf("class numbers are %v; for logits %v want %v", target, logits, ids)
	}
	return axis, nil
}

// classAxis returns the axis of the classes.
func classAxis(logits shape.Type) (axis int, err error) {
	if logits.Rank() == 0 {
		return 0, fmt.Errorf("logits are %v; want (N,C) or (N,C,...), with C classes", logits)
	}
	axis = min(1, logits.Rank()-1)
	if _, ok := logits.Dim(axis).Int(); !ok {
		return 0, fmt.Errorf("the classes of %v, axis %d, depend on the batch size: %w", logits, axis, shape.ErrSymbolic)
	}
	return axis, nil
}

// logLikelihood returns sum(q*logP) along the class axis, where q is the target. Classes with q = 0
// contribute 0, even if logP is -Inf.
func logLikelihood(logP, target *graph.Node, axis int) *graph.Node {
	zero := Scalar(logP, 0)
	if !target.Type().IsInt() {
		void := And(Equal(target, zero), Equal(logP, Scalar(logP, math.Inf(-1))))
		return Sum(Mul(target, Where(void, zero, logP)), axis)
	}
	return Sum(Where(hotAlong(target, logP, axis), logP, zero), axis)
}

// hotAlong returns a Bool for every element of x: its index along the axis is that of ids, which are
// in the shape of x without the axis.
func hotAlong(ids, x *graph.Node, axis int) *graph.Node {
	hot := OneHot(ids, x.Type().Int(axis), Cast(Scalar(x, 0), shape.Bool)) // (N,...,C)
	last := x.Type().Rank() - 1
	if axis == last {
		return hot
	}
	perm := make([]int, 0, last+1)
	for i := range last {
		if i == axis {
			perm = append(perm, last)
		}
		perm = append(perm, i)
	}
	return Transpose(hot, perm...)
}

// BinaryCrossEntropy returns the mean over all elements of -(q*log(p) + (1-q)*log(1-p)), where p is
// sigmoid(logits) and q the target, a probability, with the type of the logits. It is finite for
// any finite logit, and accurate for small losses: it is computed as q*Softplus(-logits) +
// (1-q)*Softplus(logits), in which nothing cancels.
func BinaryCrossEntropy(logits, target *graph.Node) *graph.Node {
	if bad := unlike("BinaryCrossEntropy", logits, target); bad != nil {
		return bad
	}
	hit, miss := Softplus(Neg(logits)), Softplus(logits)
	return Mean(Add(Mul(target, hit), Mul(Sub(Scalar(target, 1), target), miss)))
}

// NLL returns the mean over all examples of -sum(q*logP), where logP are log-probabilities, such as
// the result of [LogSoftmax], and q is the target's distribution over the classes. Shapes and
// targets are those of [CrossEntropy], which equals NLL of the LogSoftmax of its logits.
func NLL(logP, target *graph.Node) *graph.Node {
	axis := 0
	bad := refused("NLL", func() (err error) {
		axis, err = CrossEntropyOptions{}.check(logP.Type(), target.Type())
		return err
	}, logP, target)
	if bad != nil {
		return bad
	}
	return Mean(Neg(logLikelihood(logP, target, axis)))
}

// KLDivergence returns the mean over all examples, along axis 0, of sum(q*(log(q)-logP)), the
// divergence of the model's distribution, whose logarithms are logP, from the target's, q. It is
// PyTorch's kl_div with the reduction "batchmean". Both arguments have the same type. An element
// with q = 0 contributes 0, even if logP is -Inf, and its gradients are 0.
func KLDivergence(logP, q *graph.Node) *graph.Node {
	bad := refused("KLDivergence", func() error {
		if err := sameType(logP.Type(), q.Type()); err != nil {
			return err
		}
		if q.Type().Rank() == 0 {
			return fmt.Errorf("inputs are %v; want examples along axis 0", q.Type())
		}
		return wantFloat(q.Type())
	}, logP, q)
	if bad != nil {
		return bad
	}
	void := Equal(q, Scalar(q, 0))
	logQ := Log(Where(void, Scalar(q, 1), q))
	return Div(Sum(Mul(q, Sub(logQ, Where(void, Scalar(q, 0), logP)))), Count(q, 0))
}

// Huber returns the mean over all elements of d*d/2 where |d| is at most delta, and
// delta*(|d|-delta/2) elsewhere, with d = x-target. Both arguments have the same type; delta is
// positive. Divided by delta it is PyTorch's smooth_l1_loss.
//
// Huber, "Robust Estimation of a Location Parameter", 1964.
func Huber(x, target *graph.Node, delta float64) *graph.Node {
	if bad := unlike("Huber", x, target); bad != nil {
		return bad
	}
	if !(delta > 0) || math.IsInf(delta, 1) {
		return x.Graph().Reject("Huber", fmt.Errorf("delta is %v; want a finite positive number", delta), x, target)
	}
	d := Sub(x, target)
	near := Clip(d, -delta, delta)
	return Mean(Mul(near, Sub(d, MulScalar(near, .5)))) // its derivative is near
}

// Hinge returns the mean over all elements of max(0, 1 - target*scores). The target is -1 or 1, in
// the type of scores. Where target*scores is exactly 1 the derivative is 0.
//
// Cortes and Vapnik, "Support-Vector Networks", 1995.
func Hinge(scores, target *graph.Node) *graph.Node {
	if bad := unlike("Hinge", scores, target); bad != nil {
		return bad
	}
	return Mean(ReLU(Sub(Scalar(scores, 1), Mul(target, scores))))
}

// MSE returns the mean over all elements of the squared difference of x and target. They must have
// the same type; they do not broadcast.
func MSE(x, target *graph.Node) *graph.Node {
	if bad := unlike("MSE", x, target); bad != nil {
		return bad
	}
	return Mean(Square(Sub(x, target)))
}

// unlike returns nil if a and b have the same floating-point type, and an invalid node of the named
// function otherwise.
func unlike(name string, a, b *graph.Node) *graph.Node {
	return refused(name, func() error { return likeLogits(a.Type(), b.Type()) }, a, b)
}
