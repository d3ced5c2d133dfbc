package ops

import (
	"fmt"
	"math"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// WeightedBinaryCrossEntropy is [BinaryCrossEntropy] in which positives count more or less: the mean
// over all elements of -(w*q*log(p) + (1-q)*log(1-p)). Of the weights w, at least 0, there is one, or
// one for each class, axis 1 of the logits (N,C,...) or axis 0 of logits (C). It is PyTorch's
// binary_cross_entropy_with_logits with pos_weight.
func WeightedBinaryCrossEntropy(logits, target *graph.Node, positive ...float64) *graph.Node {
	axis := 0
	bad := refused("WeightedBinaryCrossEntropy", func() (err error) {
		if err := likeLogits(logits.Type(), target.Type()); err != nil {
			return err
		}
		if len(positive) == 1 {
			return checkWeights("weights of positives", positive, 1)
		}
		if axis, err = classAxis(logits.Type()); err != nil {
			return err
		}
		return checkWeights("weights of positives", positive, logits.Type().Int(axis))
	}, logits, target)
	if bad != nil {
		return bad
	}
	weighted := MulScalar(target, positive[0])
	if len(positive) > 1 {
		weighted = Mul(target, alongAxis(logits, axis, positive))
	}
	hit, miss := Softplus(Neg(logits)), Softplus(logits)
	return Mean(Add(Mul(weighted, hit), Mul(Sub(Scalar(target, 1), target), miss)))
}

// FocalOptions configure [FocalLoss]. The zero value is the default.
type FocalOptions struct {
	// Alpha, from 0 to 1, is the weight of positives, and 1-Alpha that of negatives; default 0.25. A
	// negative Alpha gives both the weight 1.
	Alpha float64
	// Gamma is the power of 1-p that makes sure elements count less; default 2.
	Gamma float64
	// PerElement returns the loss of every element instead of their mean: object detection divides
	// their sum by the number of positives.
	PerElement bool
}

// FocalLoss returns the mean over all elements of -a*(1-r)^Gamma*log(r), where r is the probability
// that the logits give to what is right: p = sigmoid(logits) where the target is 1, and 1-p where it
// is 0. Elements that are right by far hardly count, so that a few rare positives are not lost among
// many easy negatives. The target has the type of the logits, or is a class number for every
// example, as in [CrossEntropy]; then each class is a yes or no of its own.
//
// It is torchvision's sigmoid_focal_loss. Lin, Goyal, Girshick, He and Dollár, "Focal Loss for Dense
// Object Detection", 2017.
func FocalLoss(logits, target *graph.Node, options ...FocalOptions) *graph.Node {
	var o FocalOptions
	if len(options) > 0 {
		o = options[0]
	}
	if bad := refused("FocalLoss", func() error { return o.check(logits.Type(), target.Type()) }, logits, target); bad != nil {
		return bad
	}
	o = o.withDefaults()
	target = spread(target, logits)
	one := Scalar(logits, 1)
	not := Sub(one, target)
	wrong := Add(Mul(target, Sigmoid(Neg(logits))), Mul(not, Sigmoid(logits)))
	loss := Mul(raised(wrong, o.Gamma), Add(Mul(target, Softplus(Neg(logits))), Mul(not, Softplus(logits))))
	if o.Alpha >= 0 {
		loss = Mul(loss, Add(MulScalar(target, o.Alpha), MulScalar(not, 1-o.Alpha)))
	}
	if o.PerElement {
		return loss
	}
	return Mean(loss)
}

func (o FocalOptions) withDefaults() FocalOptions {
	if o.Alpha == 0 {
		o.Alpha = .25
	}
	if o.Gamma == 0 {
		o.Gamma = 2
	}
	return o
}

func (o FocalOptions) check(logits, target shape.Type) error {
	switch {
	case !(o.Alpha <= 1) || math.IsInf(o.Alpha, -1):
		return fmt.Errorf("alpha is %v; want a number from 0 to 1, or a negative one for no weights", o.Alpha)
	case !(o.Gamma >= 0) || math.IsInf(o.Gamma, 1):
		return fmt.Errorf("gamma is %v; want a finite positive number", o.Gamma)
	}
	return yesOrNo(logits, target)
}

// raised returns x^p of numbers in [0,1]. Where x is so small that the slope would be infinite, it is
// 0.
func raised(x *graph.Node, p float64) *graph.Node {
	const least = 1e-30 // its powers with exponents above -1 are finite in float32
	switch p {
	case 1:
		return x
	case 2:
		return Square(x)
	}
	return Pow(Maximum(x, Scalar(x, least)), Scalar(x, p))
}

// DiceOptions configure [DiceLoss]. The zero value is the default.
type DiceOptions struct {
	// Smooth is added to the numerator and the denominator; default 1. It decides what a class that
	// an image does not have counts.
	Smooth float64
	// Squared squares p and q in the denominator (Milletari et al., V-Net, 2016).
	Squared bool
}

// DiceLoss returns the mean over all examples and classes of 1 - (2*sum(p*q)+s)/(sum(p)+sum(q)+s),
// where the sums are over the pixels of p (N,C,...): one minus the soft overlap of two regions
// (Sørensen, 1948, and Dice, 1945). p are probabilities, such as the Softmax or Sigmoid of logits. The
// target q has the type of p, or is a class number for every pixel, integers (N,...).
func DiceLoss(p, target *graph.Node, options ...DiceOptions) *graph.Node {
	var o DiceOptions
	if len(options) > 0 {
		o = options[0]
	}
	if bad := refused("DiceLoss", func() error { return o.check(p.Type(), target.Type()) }, p, target); bad != nil {
		return bad
	}
	if o.Smooth == 0 {
		o.Smooth = 1
	}
	q := spread(target, p)
	var pixels []int
	for axis := 2; axis < p.Type().Rank(); axis++ {
		pixels = append(pixels, axis)
	}
	both, size := Sum(Mul(p, q), pixels...), Add(p, q)
	if o.Squared {
		size = Add(Square(p), Square(q))
	}
	overlap := Div(AddScalar(MulScalar(both, 2), o.Smooth), AddScalar(Sum(size, pixels...), o.Smooth))
	return Mean(Sub(Scalar(overlap, 1), overlap))
}

func (o DiceOptions) check(p, target shape.Type) error {
	switch {
	case !(o.Smooth >= 0) || math.IsInf(o.Smooth, 1):
		return fmt.Errorf("smooth is %v; want a finite positive number", o.Smooth)
	case p.Rank() < 3:
		return fmt.Errorf("the probabilities are %v; want (N,C,...), with pixels", p)
	}
	return yesOrNo(p, target)
}

// yesOrNo returns an error unless target is a yes or no for each element of x, or class numbers.
func yesOrNo(x, target shape.Type) error {
	_, err := CrossEntropyOptions{}.check(x, target)
	return err
}

// spread returns the target in the type of x: class numbers become 1 for the class and 0 elsewhere.
func spread(target, x *graph.Node) *graph.Node {
	if !target.Type().IsInt() {
		return target
	}
	axis, _ := classAxis(x.Type())
	return Cast(hotAlong(target, x, axis), x.Type().DType)
}

func likeLogits(logits, target shape.Type) error {
	if err := sameType(logits, target); err != nil {
		return err
	}
	return wantFloat(logits)
}
