package arch

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// regressions are defects that users of other frameworks met. Each has a test of its name,
// or a benchmark where it is about speed, whose comment cites where it was reported.
var regressions = []string{
	"ReadIntermediate", "SameOperandTwice", "OverlappingMaxPool", "MaxTies", "NonSquare", "TransposedStrideDilation",
	"BatchNormStats", "AdamTrace", "RemainderBatch", "TwoPrograms", "UnreachableParam", "FlatHeap", "Views", "SizeOneDims",
	"Denormals", "LargeLogits", "InnerAxisMean", "KillDuringSave", "OneSeed", "PassesTerminate", "ReadTwice", "ConcurrentRun",
	"SoftmaxIsNotLogSoftmax", "DropoutScale", "SecondGrad", "SerialisedBatch",
}

func TestEveryRegressionHasItsTest(t *testing.T) {
	root := filepath.Join("..", "..")
	found := map[string]string{}
	declared := regexp.MustCompile(`func (Test|Benchmark)([A-Za-z]+)\([tb] \*testing\.`)
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return skip(root, file)
		}
		if !strings.HasSuffix(file, "_test.go") {
			return nil
		}
		src, err := os.ReadFile(file)
		for _, m := range declared.FindAllStringSubmatch(string(src), -1) {
			found[m[2]] = file
		}
		return err
	})
	require.NoError(t, err)
	for _, key := range regressions {
		require.NotEmpty(t, found[key], "no test or benchmark named %s", key)
	}
}
