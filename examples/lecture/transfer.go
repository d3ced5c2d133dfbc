package lecture

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/fashion"
	"github.com/plexaura/plexaura/data/mnist"
	"github.com/plexaura/plexaura/models/lenet"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/viz"
	"github.com/plexaura/plexaura/vm"
)

// headed is LeNet with one new layer, called head, instead of its three dense ones.
var headed = nn.Until(nn.Replace(lenet.Model, "fc1", nn.Linear{Name: "head", Out: 10}), "head")

// frozen is the same with convolutions that are not trained.
func frozen() nn.Sequential {
	model := slices.Clone(headed)
	for _, i := range []int{0, 3} {
		model[i] = nn.Frozen{Layer: model[i]}
	}
	return model
}

// ways are the ways to train on new images.
var ways = []string{"from scratch", "head on learnt convolutions", "the same, fine-tuned", "head on untrained ones"}

// move is from one set of images to another, with more and more labels or more and more steps.
type move struct {
	name                string
	source, learn, test data.Dataset
	by                  string // labels, or steps with manyLabels
	sizes               []int
}

const manyLabels = 1000

// transfer takes the convolutions that LeNet learnt on digits to photographs of clothes, and to
// other digits.
func transfer(ctx context.Context, b *Board) error {
	moves, err := b.moves()
	if err != nil {
		return err
	}
	seeds := either(b, 2, 5)
	b.say("LeNet learns some images. Its convolutions are kept as they are, its dense layers give way to one new layer, and that layer learns other images, of "+
		"which few are labelled. Then all of it is trained on. Against it: the same network from scratch, and a head on convolutions that nobody trained. "+
		"Every way trains for about %d steps, unless said otherwise, by the same rule; fine-tuning adds as many. Means over %d seeds, each with initial weights and "+
		"labelled images of its own, on 1000 images that nothing was trained or chosen by.", b.steps(), seeds)
	var panels []viz.Panel
	for _, m := range moves {
		accuracies := make([][][]float64, len(ways)) // of each way, by size and seed
		for w := range ways {
			accuracies[w] = make([][]float64, len(m.sizes))
		}
		for s := range seeds {
			b.doing("%s: seed %d of %d", m.name, s+1, seeds)
			if err := b.moved(ctx, m, b.Seed+uint64(s), accuracies); err != nil {
				return err
			}
		}
		panels = append(panels, b.transferred(m, accuracies))
	}
	if err := b.draw("transfer", "accuracy against the number of labelled images, in four ways, from digits to clothes and from digits to other digits", viz.Plot{
		Title: "From one set of images to another", Panels: panels[:2],
	}); err != nil {
		return err
	}
	return b.draw("transfer-steps", "accuracy on clothes against the number of steps, in the same four ways", viz.Plot{
		Title: "In how many steps", Panels: panels[2:], Width: 800, Height: 440,
	})
}

// moves are one to images of another kind, one to images of the same kind, and the first again by
// the number of steps.
func (b *Board) moves() ([]move, error) {
	all, err := mnist.Train()
	if err != nil {
		return nil, err
	}
	others, err := mnist.Test()
	if err != nil {
		return nil, err
	}
	clothes, otherClothes, err := fashion.Sample()
	if err != nil {
		return nil, err
	}
	low, high, err := split(data.Limit(all, either(b, 8000, 60000)), 5)
	if err != nil {
		return nil, err
	}
	_, otherHigh, err := split(others, 5)
	labels, steps := either(b, []int{50, manyLabels}, []int{50, 100, 300, manyLabels}), either(b, []int{16, 48}, []int{16, 32, 64, 192})
	source := data.Limit(all, either(b, 4000, 60000))
	return []move{
		{"clothes", source, clothes, otherClothes, "labels", labels},
		{"digits 5 to 9", low, high, data.Limit(otherHigh, 1000), "labels", labels},
		{fmt.Sprintf("clothes, %d labels", manyLabels), source, clothes, otherClothes, "steps", steps},
	}, err
}

// split divides a dataset into classes below a class and those from it on.
func split(ds data.Dataset, class int32) (below, from data.Dataset, err error) {
	var parts [2][]int
	x, label := make([]float32, ds.Info().Input.Len()), make([]int32, 1)
	for i := range ds.Len() {
		if err := ds.Read(i, data.Example{X: x, Labels: label}); err != nil {
			return nil, nil, err
		}
		part := 0
		if label[0] >= class {
			part = 1
		}
		parts[part] = append(parts[part], i)
	}
	if below, err = data.Subset(ds, parts[0]); err != nil {
		return nil, nil, err
	}
	from, err = data.Subset(ds, parts[1])
	return below, from, err
}

// moved makes a move with one seed, and adds the accuracies of all ways with all sizes.
func (b *Board) moved(ctx context.Context, m move, seed uint64, accuracies [][][]float64) error {
	r, err := teach(ctx, lesson{model: lenet.Model, learn: m.source, epochs: 1, seed: seed})
	if err != nil {
		return err
	}
	for i, size := range m.sizes {
		labels, steps := size, b.steps()
		if m.by == "steps" {
			labels, steps = manyLabels, size
		}
		learn, err := some(m.learn, labels, seed)
		if err != nil {
			return err
		}
		got, err := everyWay(ctx, r.Checkpoint.Store, learn, m.test, steps, seed)
		if err != nil {
			return err
		}
		for w := range ways {
			accuracies[w][i] = append(accuracies[w][i], got[w])
		}
	}
	return nil
}

// steps is how many a way has, as far as whole epochs allow.
func (b *Board) steps() int { return either(b, 60, 200) }

// everyWay teaches by few images in every way, and returns the accuracies on the test images.
func everyWay(ctx context.Context, source *vm.Store, few, test data.Dataset, steps int, seed uint64) (accuracies []float64, err error) {
	each := (few.Len() + batch - 1) / batch // steps an epoch
	epochs := steps / each
	learn := func(model nn.Layer, start *vm.Store) (*vm.Store, error) {
		l := lesson{model: model, learn: few, epochs: epochs, seed: seed, start: start,
			rule: optim.Recipe{Rule: optim.SGD{LR: .02, Momentum: .9}, Schedule: optim.Cosine{Steps: epochs * each}}}
		if start != nil {
			l.partial = []string{"head.*", "fc?.*"} // the new head is initialised, the old one dropped
		}
		r, err := teach(ctx, l)
		if err != nil {
			return nil, err
		}
		e, err := evaluated(ctx, model, r.Checkpoint, test, nil)
		accuracies = append(accuracies, e.Accuracy())
		return r.Checkpoint.Store, err
	}
	if _, err = learn(headed, nil); err != nil {
		return nil, err
	}
	tuned, err := learn(frozen(), source)
	if err != nil {
		return nil, err
	}
	if _, err = learn(headed, tuned); err != nil {
		return nil, err
	}
	_, err = learn(frozen(), nil)
	return accuracies, err
}

// transferred writes what was measured of a move, and returns its panel.
func (b *Board) transferred(m move, accuracies [][][]float64) viz.Panel {
	var columns, rows, gainRows, verdicts []string
	for _, n := range m.sizes {
		columns = append(columns, fmt.Sprint(n))
	}
	var values, gains [][]float64
	panel := viz.Panel{Heading: "Accuracy on " + m.name, XLabel: m.by, LogX: true, Bounds: [2]float64{0, 1}}
	for w, name := range ways {
		line := viz.Series{Name: name}
		gain, doubt := make([]float64, len(m.sizes)), make([]float64, len(m.sizes))
		for i, n := range m.sizes {
			mean, spread := meanAndSpread(accuracies[w][i])
			line.X, line.Y, line.Err = append(line.X, float64(n)), append(line.Y, mean), append(line.Err, spread)
			gain[i], doubt[i] = gained(accuracies[w][i], accuracies[0][i])
		}
		name = m.name + ", " + name
		rows, values = append(rows, name), append(values, line.Y)
		panel.Series = append(panel.Series, line)
		if w > 0 {
			gainRows, gains = append(gainRows, name+", gain", name+", ±"), append(gains, gain, doubt)
			verdicts = append(verdicts, verdict(ways[w], m.by, m.sizes, gain, doubt))
		}
	}
	b.say("From %d digits to %s. Accuracy by the number of %s:", m.source.Len(), m.name, m.by)
	b.table(m.by, columns, rows, values, "%.4f")
	b.say("The difference from training from scratch, in percentage points, of pairs with the same seed and the same images; ± is its standard error:")
	b.table(m.by, columns, gainRows, gains, "%.2f")
	b.say("Against training from scratch, where more than two standard errors count as a difference: %s.", strings.Join(verdicts, "; "))
	return panel
}

// gained is the mean difference of pairs of accuracies, and its standard error, in percentage
// points.
func gained(v, against []float64) (mean, doubt float64) {
	differences := make([]float64, len(v))
	for i := range v {
		differences[i] = 100 * (v[i] - against[i])
	}
	mean, spread := meanAndSpread(differences)
	return mean, spread / math.Sqrt(float64(len(v)))
}

// verdict puts gains and their standard errors into words: a gain of two standard errors counts as
// a difference.
func verdict(way, by string, sizes []int, gain, doubt []float64) string {
	kinds := []string{"better", "worse", "no clear difference"}
	at := make([][]string, len(kinds))
	for i, n := range sizes {
		kind := 2
		switch {
		case gain[i] > 2*doubt[i]:
			kind = 0
		case gain[i] < -2*doubt[i]:
			kind = 1
		}
		at[kind] = append(at[kind], fmt.Sprint(n))
	}
	var parts []string
	for kind, where := range at {
		if len(where) > 0 {
			parts = append(parts, fmt.Sprintf("%s with %s %s", kinds[kind], joined(where), by))
		}
	}
	return way + ": " + strings.Join(parts, ", ")
}

// joined lists words: "a, b and c".
func joined(words []string) string {
	list := ""
	for i, w := range words {
		switch {
		case i == 0:
		case i == len(words)-1:
			list += " and "
		default:
			list += ", "
		}
		list += w
	}
	return list
}
