package lecture

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestNumeralsAreThoseOfNum2words: testdata/numerals.py writes them.
func TestNumeralsAreThoseOfNum2words(t *testing.T) {
	file, err := os.ReadFile("testdata/numerals.json")
	require.NoError(t, err)
	var want map[string][]string
	require.NoError(t, json.Unmarshal(file, &want))
	require.Len(t, languages, len(want))
	for _, l := range languages {
		var got []string
		for n := 1; n <= 99; n++ {
			got = append(got, l.numeral(n))
		}
		require.Equal(t, want[l.name], got, l.name)
	}
}

func TestSignals(t *testing.T) {
	b := trained(t, "signals")
	errors := func(model string) float64 { return b.value(t, model+", errors in %") }
	linear, layers, conv := errors("tones, linear, on samples"), errors("tones, dense, 128 units"), errors("tones, convolutional")
	require.Greater(t, linear, 65., "of 80 where one guesses")
	require.Less(t, conv, layers-8)
	require.Less(t, b.value(t, "tones, convolutional, parameters"), b.value(t, "tones, dense, 128 units, parameters")/5)
	conv = errors("text, convolutional")
	require.Less(t, conv, errors("text, linear, on places and characters")/2)
	require.Less(t, conv, errors("text, linear, on counts of characters")/2)
	if *long {
		require.Less(t, errors("tones, convolutional"), 15.)
		require.Less(t, conv, 2.)
	}
}

// TestWavesHaveAPeriodOfOneAndReachOne, by which they differ in nothing but their form.
func TestWavesHaveAPeriodOfOneAndReachOne(t *testing.T) {
	for _, w := range waves {
		least, most := 1., -1.
		for i := range 1000 {
			p := float64(i)/1000 + 1e-9
			require.InDelta(t, w.at(p), w.at(p+3), 1e-5, w.name)
			least, most = min(least, w.at(p)), max(most, w.at(p))
		}
		require.InDelta(t, -1, least, .005, w.name)
		require.InDelta(t, 1, most, .005, w.name)
	}
}
