package lecture

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/viz"
)

// signals applies convolution along one axis: to tones, and to text.
func signals(ctx context.Context, b *Board) error {
	if err := b.tones(ctx); err != nil {
		return err
	}
	return b.text(ctx)
}

// samplesATone is the length of a tone.
const samplesATone = 256

// waves are functions of the phase, in periods, which go from -1 to 1 each period. A chirp is a
// sine whose pitch doubles.
var waves = []struct {
	name string
	at   func(phase float64) float64
}{
	{"sine", func(p float64) float64 { return math.Sin(2 * math.Pi * p) }},
	{"chirp", func(p float64) float64 { return math.Sin(2 * math.Pi * p) }},
	{"square", func(p float64) float64 { return math.Copysign(1, fraction(p)-.5) }},
	{"triangle", func(p float64) float64 { return 4*math.Abs(fraction(p)-.5) - 1 }},
	{"saw", func(p float64) float64 { return 2*fraction(p) - 1 }},
}

func fraction(p float64) float64 { return p - math.Floor(p) }

// tone draws pitch, phase and loudness, and adds noise.
func tone(wave int, r *rand.Rand) []float32 {
	periods, phase, loudness := 4+8*r.Float64(), r.Float64(), .5+r.Float64()
	x := make([]float32, samplesATone)
	for i := range x {
		t := float64(i) / samplesATone
		p := phase + periods*t
		if waves[wave].name == "chirp" {
			p = phase + periods*(2*t/3+t*t/3) // the same number of periods, and twice as fast at the end
		}
		x[i] = float32(loudness*waves[wave].at(p) + .3*r.NormFloat64())
	}
	return x
}

// toneSet is a dataset of n tones, equally many of each kind.
func toneSet(n int, r *rand.Rand) (data.Dataset, error) {
	var x []float32
	var y []int32
	info := data.Info{Input: shape.F32(1, samplesATone)}
	for _, w := range waves {
		info.Classes = append(info.Classes, w.name)
	}
	for i := range n {
		x, y = append(x, tone(i%len(waves), r)...), append(y, int32(i%len(waves)))
	}
	return data.New(x, y, info)
}

func (b *Board) tones(ctx context.Context) error {
	learn, err := toneSet(either(b, 1000, 5000), rand.New(rand.NewPCG(b.Seed, 2)))
	if err != nil {
		return err
	}
	test, err := toneSet(either(b, 500, 2000), rand.New(rand.NewPCG(b.Seed, 3)))
	if err != nil {
		return err
	}
	b.say("Tones of five kinds, %d samples of each, of 4 to 12 periods, with random phase and loudness and with noise: sine, chirp, square, triangle, saw. Which kind it is "+
		"does not depend on where the period begins: no sample says anything by itself, and who guesses errs in %d of 100 cases. The convolutional network has three layers of filters along "+
		"time, with pooling, and at the end takes the mean over time. %d tones to learn from, %d others to test by:", samplesATone, 100-100/len(waves), learn.Len(), test.Len())
	if err := b.drawTones(); err != nil {
		return err
	}
	last, err := b.compare(ctx, "tones", learn, test, []named{
		{"linear, on samples", dense1(len(waves))},
		{"dense, 128 units", dense1(len(waves), 128)},
		{"convolutional", alongTime(len(waves), 9)},
	})
	if err != nil {
		return err
	}
	return b.mistakes("tones", learn.Info().Classes, last.Confusion)
}

// drawTones draws a tone of each kind.
func (b *Board) drawTones() error {
	panels := make([]viz.Panel, len(waves))
	r := rand.New(rand.NewPCG(b.Seed, 4))
	for w := range waves {
		y := make([]float64, samplesATone)
		for i, v := range tone(w, r) {
			y[i] = float64(v)
		}
		panels[w] = samples(waves[w].name, y)
	}
	return b.draw("tones", "a tone of each kind, with its noise, of which the networks have to tell the kind",
		viz.Plot{Title: "Tones", Panels: panels, Columns: 3, Height: 620})
}

// named is a model with its name.
type named struct {
	name  string
	model nn.Layer
}

// compare trains models, and writes parameters and errors. It returns the result of the last one.
func (b *Board) compare(ctx context.Context, what string, learn, test data.Dataset, models []named) (last train.Evaluation, err error) {
	var rows []string
	var values [][]float64
	for _, m := range models {
		b.doing("%s: %s", what, m.name)
		count, err := parameterCount(m.model, learn.Info().Input.Of(learn.Info().Input.Insert(0, shape.N)))
		if err != nil {
			return last, err
		}
		epochs := either(b, 12, 30)
		rule := optim.Recipe{Rule: optim.Adam{LR: .003}, Schedule: optim.Cosine{Steps: epochs * ((learn.Len() + batch - 1) / batch)}}
		if last, err = tested(ctx, lesson{model: m.model, learn: learn, epochs: epochs, seed: b.Seed, rule: rule}, test); err != nil {
			return last, err
		}
		rows, values = append(rows, what+", "+m.name), append(values, []float64{float64(count), 100 * (1 - last.Accuracy())})
	}
	b.table("network", []string{"parameters", "errors in %"}, rows, values, "%.5g")
	return last, nil
}

// mistakes shows the confusion matrix of the convolutional network, and names the most frequent
// mistake.
func (b *Board) mistakes(what string, classes []string, confusion [][]int) error {
	var of, as int
	worst := -1
	for i, row := range confusion {
		for j, n := range row {
			if i != j && n > worst {
				of, as, worst = i, j, n
			}
		}
	}
	b.say("The most frequent mistake of the convolutional network: it takes %s for %s, %d times of %d.",
		classes[of], classes[as], worst, total(confusion[of]))
	return b.draw(what+"-mistaken", "what the convolutional network took for what, by kind: "+what,
		viz.Confusion{Title: "Convolutional network, " + what, Classes: classes, Counts: confusion, Cell: 72})
}

func total(counts []int) (sum int) {
	for _, n := range counts {
		sum += n
	}
	return sum
}

// dense1 is a dense network for so many classes.
func dense1(classes int, widths ...int) nn.Sequential {
	s := dense(widths...)
	s[len(s)-1] = nn.Linear{Out: classes}
	return s
}

// alongTime is a convolutional network for sequences (N,C,L).
func alongTime(classes, kernel int) nn.Sequential {
	layer := func(out int) nn.Sequential {
		return nn.Sequential{nn.Conv1D{Out: out, Kernel: kernel, Pad: nn.Ends(kernel / 2)}, nn.ReLU{}, nn.MaxPool1D{Kernel: 2}}
	}
	return nn.Sequential{layer(8), layer(16), layer(32), nn.Func(overTime), nn.Linear{Out: classes}}
}

// overTime is the mean over the last axis.
func overTime(x *graph.Node) *graph.Node { return ops.Mean(x, -1) }

// letters is the length of a piece of text.
const letters = 16

func (b *Board) text(ctx context.Context) error {
	known, unknown := rand.New(rand.NewPCG(b.Seed, 5)).Perm(99)[:66], []int(nil)
	for n := range 99 {
		if !slices.Contains(known, n) {
			unknown = append(unknown, n)
		}
	}
	alphabet := alphabetOf(languages)
	learn, _, err := pieces(alphabet, known, either(b, 1000, 5000), b.Seed)
	if err != nil {
		return err
	}
	test, examples, err := pieces(alphabet, unknown, either(b, 500, 2000), b.Seed+1)
	if err != nil {
		return err
	}
	b.say("Text is a signal too, with a channel for each of its %d characters, which is 1 where the character stands. Numbers from 1 to 99 are written out in "+
		"five languages, one after the other, and a piece of %d characters is cut out anywhere: which language is it? The network learns from %d numbers, and is tested "+
		"on pieces of the %d others, such as %q.", len(alphabet), letters, len(known), len(unknown), examples[0])
	last, err := b.compare(ctx, "text", learn, test, []named{
		{"linear, on places and characters", dense1(len(languages))},
		{"linear, on counts of characters", nn.Sequential{nn.Func(overTime), nn.Linear{Out: len(languages)}}},
		{"convolutional", alongTime(len(languages), 5)},
	})
	if err != nil {
		return err
	}
	return b.mistakes("text", learn.Info().Classes, last.Confusion)
}

// alphabetOf are the characters of all numbers in all languages, in order.
func alphabetOf(all []language) (alphabet []rune) {
	for _, l := range all {
		for n := 1; n <= 99; n++ {
			alphabet = append(alphabet, []rune(l.numeral(n)+" ")...)
		}
	}
	slices.Sort(alphabet)
	return slices.Compact(alphabet)
}

// pieces cuts n pieces out of text that is made of some numbers, given less 1. It returns them as a
// dataset, (channels,letters), and in writing.
func pieces(alphabet []rune, numbers []int, n int, seed uint64) (data.Dataset, []string, error) {
	r := rand.New(rand.NewPCG(seed, 6))
	x, y, written := make([]uint8, n*len(alphabet)*letters), make([]int32, n), make([]string, n)
	info := data.Info{Input: shape.F32(shape.Dim(len(alphabet)), letters)}
	for _, l := range languages {
		info.Classes = append(info.Classes, l.name)
	}
	for i := range n {
		y[i] = int32(i % len(languages))
		var text strings.Builder
		for text.Len() < 8*letters {
			fmt.Fprint(&text, languages[y[i]].numeral(1+numbers[r.IntN(len(numbers))]), " ")
		}
		all := []rune(text.String())
		from := r.IntN(len(all) - letters)
		written[i] = string(all[from : from+letters])
		for t, c := range all[from : from+letters] {
			channel, _ := slices.BinarySearch(alphabet, c)
			x[(i*len(alphabet)+channel)*letters+t] = 255 // which a dataset of bytes makes 1
		}
	}
	ds, err := data.New(x, y, info)
	return ds, written, err
}
