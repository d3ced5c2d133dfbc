package metrics

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/shape"
)

// Classes says where outputs (N,C,...) have their classes: Count of them along axis 1, Inner
// elements apart.
type Classes struct{ Count, Inner int }

// ClassesOf returns the classes of outputs for targets that are class numbers. Both types have the
// examples along axis 0. ok is false if such outputs do not choose among classes.
func ClassesOf(output, target shape.Type) (c Classes, ok bool) {
	if target.DType != shape.Int32 || target.Rank() == 0 || output.Rank() != target.Rank()+1 || !output.IsFloat() {
		return c, false
	}
	count, known := output.Dim(1).Int()
	if !known || count < 2 || output.Drop(1) != target.Shape || !target.Drop(0).Concrete() {
		return c, false
	}
	return Classes{count, target.Of(target.Drop(0)).Len()}, true
}

// Each calls seen with each label that is a class, and the class of the largest output for it, the
// first one of equals.
func (c Classes) Each(output *tensor.Dense, labels []int32, seen func(label, predicted int)) {
	if output == nil || c.Count < 1 || c.Inner < 1 {
		return
	}
	if single, double, err := numbers(output); err == nil {
		each(c, single, labels, seen)
		each(c, double, labels, seen)
	}
}

func each[T number](c Classes, output []T, labels []int32, seen func(label, predicted int)) {
	for i, label := range labels {
		from := c.at(i)
		if label < 0 || int(label) >= c.Count || from+(c.Count-1)*c.Inner >= len(output) {
			continue
		}
		seen(int(label), largest(output[from:], c.Count, c.Inner))
	}
}

// at returns the index of the first class's output for label i.
func (c Classes) at(i int) int { return i/c.Inner*c.Count*c.Inner + i%c.Inner }

// largest returns the index of the largest of count numbers at a stride of step. Of equal numbers
// it returns the first.
func largest[T number](v []T, count, step int) int {
	best := 0
	for i := 1; i < count; i++ {
		if v[i*step] > v[best*step] {
			best = i
		}
	}
	return best
}

// questions are what outputs answer: to which class something belongs or, with classes.Count 1,
// whether something is so, where the output is the logit of yes.
type questions struct{ Classes }

// questionsOf returns the questions that outputs of d answer.
func questionsOf(d Data) (q questions, err error) {
	if err := d.check(); err != nil {
		return q, err
	}
	if c, ok := ClassesOf(d.Output, d.Target); ok {
		return questions{c}, nil
	}
	if d.Output.Shape == d.Target.Shape && d.Target.IsFloat() {
		return questions{Classes{1, d.Output.Of(d.Output.Drop(0)).Len()}}, nil
	}
	return q, fmt.Errorf("the output is %v and the target %v; want logits (N,C,...) for class numbers (N,...), or one logit for each target that is 0 or 1", d.Output, d.Target)
}

// classes returns the number of classes that there are counts of.
func (q questions) classes() int { return max(q.Count, 2) }

// yes reports whether there is one logit for each target.
func (q questions) yes() bool { return q.Count == 1 }

// check returns an error if a batch has not one target for each answer.
func (q questions) check(output, target *tensor.Dense) (labels int, err error) {
	if output == nil || target == nil {
		return 0, errNil
	}
	labels = target.DataSize()
	if q.Inner < 1 || labels%q.Inner != 0 || output.DataSize() != labels*q.Count {
		return 0, fmt.Errorf("%d outputs and %d targets do not belong together", output.DataSize(), labels)
	}
	return labels, nil
}

// labelsOf returns the labels of a batch: class numbers, or 1 for yes and 0 for no. Those of yes and
// no are written into memory.
func (q questions) labelsOf(target *tensor.Dense, memory []int32) ([]int32, error) {
	if !q.yes() {
		if target.Dtype() == tensor.Int32 {
			return target.Int32s(), nil
		}
		return nil, fmt.Errorf("targets of %v; want int32", target.Dtype())
	}
	single, double, err := numbers(target)
	if err != nil {
		return nil, err
	}
	memory, err = yesNo(memory[:0], single)
	if err != nil {
		return nil, err
	}
	return yesNo(memory, double)
}

func yesNo[T number](labels []int32, target []T) ([]int32, error) {
	for i, v := range target {
		if v != 0 && v != 1 {
			return nil, fmt.Errorf("target %v, element %d of a batch, is neither 0 nor 1", v, i)
		}
		labels = append(labels, int32(v))
	}
	return labels, nil
}
