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
	case target.IsStorage():
		return 0, integers.admits("class numbers are", target)
	case !target.IsInt():
		return 0, fmt.Errorf("the target is %v; want class numbers, integers %v, or distributions, %v", target, ids, logits)
	case target.Shape != ids:
		return 0, fmt.Errorf("class numbers are %v; for logits %v want %v", target, logits, ids)
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
	return refused(name, func() error {
		if err := sameType(a.Type(), b.Type()); err != nil {
			return err
		}
		return wantFloat(a.Type())
	}, a, b)
}
