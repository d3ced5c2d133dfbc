package arch

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	module = "github.com/plexaura/plexaura"
	tensor = "gorgonia.org/tensor"
)

// may lists, for each package, the packages of ours, and tensor, that it may import.
// A trailing /... allows what is below. Tests are free.
var may = map[string][]string{
	"shape":                     {},
	"graph":                     {"shape", "internal/isnil", "internal/plain", "internal/rescue"},
	"engine":                    {"shape", "internal/par", tensor},
	"engine/ref":                {"engine", "shape", "internal/elementary", "internal/philox", tensor},
	"engine/std":                {"engine", "engine/ref", "shape", tensor},
	"engine/cpu":                {"engine", "engine/ref", "shape", "internal/simd", "internal/simd/...", "internal/par", "internal/philox", tensor},
	"engine/enginetest":         {"engine", "engine/ref", "shape", "internal/allocs", tensor},
	"ops":                       {"graph", "shape", "engine", "internal/philox"},
	"vm":                        {"graph", "shape", "engine", "interop/safetensors", "internal/isnil", "internal/memlimit", "internal/philox", "internal/plain", "internal/rescue", tensor},
	"autodiff":                  {"graph", "shape", "ops", "internal/rescue"},
	"autodiff/gradcheck":        {"autodiff", "graph", "shape", "ops", "vm", "engine", "engine/ref", "internal/philox", tensor},
	"autodiff/gradcheck/cases":  {"autodiff", "autodiff/gradcheck", "graph", "shape", "ops", "engine"},
	"autodiff/numeric":          {"autodiff", "graph", "shape", "ops", "vm", "engine", tensor},
	"nn":                        {"graph", "shape", "ops"},
	"optim":                     {"graph", "shape", "ops", "autodiff", "internal/isnil", "internal/patterns", "internal/plain"},
	"tracing":                   {"vm"},
	"internal/frames":           {},
	"internal/shards":           {"dist", "engine", "graph", "ops", "shape", tensor},
	"interop/tensorboard":       {},
	"interop/pytorch":           {"interop/safetensors", "shape", "internal/plain", "internal/regular"},
	"train/callbacks":           {"data", "engine", "graph", "interop/tensorboard", "optim", "train", "vm", "internal/atomicfile", "internal/regular", tensor},
	"train/transfer":            {"data", "graph", "interop/onnx", "interop/onnx/ir", "interop/pytorch", "interop/safetensors", "nn", "ops", "shape", "train", "vm", "internal/patterns", "internal/plain", "internal/regular"},
	"train/metrics":             {"shape", "internal/frames", "internal/isnil", "internal/rescue", tensor},
	"train":                     {"train/metrics", "dist", "internal/shards", "graph", "shape", "ops", "autodiff", "nn", "optim", "vm", "engine", "data", "interop/safetensors", "internal/frames", "internal/isnil", "internal/atomicfile", "internal/lock", "internal/patterns", "internal/philox", "internal/plain", "internal/regular", tensor},
	"watch":                     {"autodiff", "data", "data/picture", "engine", "graph", "nn", "ops", "optim", "shape", "train", "train/metrics", "vm", "internal/loopback", "internal/plain", "internal/regular", "internal/rescue", tensor},
	"serve":                     {"data/picture", "engine", "shape", "train", "vm", "internal/isnil", "internal/loopback", "internal/plain", "internal/rescue", tensor},
	"data":                      {"shape", "internal/isnil", "internal/philox", "internal/plain", "internal/simd/random", tensor},
	"data/idx":                  {"shape"},
	"data/imagenet":             {"data", "data/picture", "shape"},
	"data/mnist":                {"data", "data/idx", "shape", "internal/isnil", "internal/philox", "internal/regular", tensor},
	"data/fashion":              {"data", "data/mnist", "shape"},
	"data/augment":              {"data", "shape", "internal/simd", "internal/simd/gemm"},
	"data/cifar":                {"data", "data/picture", "shape", "internal/regular"},
	"data/picture":              {"data", "shape", "internal/regular"},
	"data/imagefolder":          {"data", "data/picture", "shape"},
	"data/csv":                  {"data", "internal/plain", "internal/regular", "shape"},
	"data/npy":                  {"data", "internal/npy", "shape"},
	"data/webdataset":           {"data", "data/picture", "internal/npy", "internal/philox", "internal/regular", "shape"},
	"dist":                      {"shape", "internal/frames", "internal/isnil", "internal/simd", "internal/simd/vec"},
	"dist/disttest":             {"dist", "internal/isnil"},
	"dist/launcher":             {},
	"dist/local":                {"dist", "internal/rescue"},
	"dist/mpi":                  {"dist", "dist/launcher"},
	"dist/mpi/mpitest":          {},
	"inspect":                   {"graph", "shape", "ops", "autodiff", "nn", "optim", "vm", "engine", "train", "data", "internal/isnil", "internal/par", "internal/philox", tensor},
	"viz":                       {"shape", "internal/atomicfile", "internal/plain"},
	"interop/safetensors":       {"shape", "internal/atomicfile", "internal/regular"},
	"interop/onnx":              {"engine", "engine/ref", "graph", "interop/onnx/ir", "internal/atomicfile", "internal/isnil", "internal/plain", "internal/rescue", "nn", "ops", "shape", "vm", tensor},
	"interop/onnx/conformance":  {"engine", "interop/onnx", "interop/onnx/ir", "internal/isnil", "internal/plain", "internal/regular", "internal/rescue", "shape"},
	"interop/onnx/serving":      {"engine", "interop/onnx", "interop/onnx/ir", "internal/isnil", "internal/plain", "serve", "shape", "vm"},
	"interop/onnx/ir":           {"internal/plain", "internal/regular"},
	"interop/onnx/ir/irtest":    {"interop/onnx/ir"},
	"interop/gorgonia":          {"autodiff", "graph", "shape", "ops", "engine", "engine/ref", "internal/philox", "internal/rescue", tensor},
	"models/lenet":              {"nn", "ops", "graph", "shape"},
	"models/alexnet":            {"nn", "ops", "graph", "shape"},
	"models":                    {},
	"models/mnistnet":           {"nn"},
	"models/vgg":                {"nn"},
	"models/resnet":             {"nn"},
	"models/squeezenet":         {"nn", "ops", "graph"},
	"models/mobilenet":          {"nn", "ops", "graph"},
	"internal/arch":             {},
	"internal/allocs":           {},
	"internal/atomicfile":       {"internal/regular"},
	"internal/mutate":           {},
	"internal/inspectpage":      {"inspect", "viz", "data", "shape"},
	"internal/distcost":         {},
	"internal/elementary":       {},
	"internal/isnil":            {},
	"internal/lock":             {},
	"internal/loopback":         {},
	"internal/memlimit":         {},
	"internal/par":              {"internal/rescue"},
	"internal/nothing":          {},
	"internal/npy":              {"shape", "internal/atomicfile", "internal/regular"},
	"internal/opbench":          {"autodiff", "engine", "graph", "internal/parity", "shape", "vm", tensor},
	"internal/parity":           {"graph", "shape", "ops", "autodiff", "nn", "optim", "vm", "engine", "models/lenet", "models/alexnet", "data", "data/mnist", tensor},
	"internal/parity/random":    {"autodiff", "engine", "engine/cpu", "engine/ref", "engine/std", "graph", "internal/parity", "internal/python", "internal/simd/isa", "ops", "shape", "vm", tensor},
	"internal/python":           {},
	"internal/philox":           {},
	"internal/patterns":         {"internal/plain"},
	"internal/plain":            {},
	"internal/regular":          {},
	"internal/rescue":           {},
	"internal/simd":             {"internal/simd/attention", "internal/simd/conv", "internal/simd/gemm", "internal/simd/interleaved", "internal/simd/isa", "internal/simd/nhwc", "internal/simd/pool", "internal/simd/quant", "internal/simd/random", "internal/simd/totals", "internal/simd/vec", "internal/simd/winograd"},
	"internal/simd/abi":         {},
	"internal/simd/isa":         {"internal/simd/abi"},
	"internal/simd/window":      {"internal/simd/isa"},
	"internal/simd/gemm":        {"internal/par", "internal/simd/abi", "internal/simd/isa"},
	"internal/simd/vec":         {"internal/elementary", "internal/simd/abi", "internal/simd/isa"},
	"internal/simd/random":      {"internal/philox", "internal/simd/isa"},
	"internal/simd/pool":        {"internal/simd/isa"},
	"internal/simd/quant":       {"internal/simd/abi", "internal/simd/isa", "internal/simd/window"},
	"internal/simd/totals":      {"internal/simd/isa"},
	"internal/simd/attention":   {"internal/simd/gemm", "internal/simd/isa", "internal/simd/vec"},
	"internal/simd/conv":        {"internal/par", "internal/simd/abi", "internal/simd/gemm", "internal/simd/isa", "internal/simd/window"},
	"internal/simd/winograd":    {"internal/par", "internal/simd/abi", "internal/simd/gemm", "internal/simd/isa", "internal/simd/window"},
	"internal/simd/nhwc":        {"internal/par", "internal/simd/abi", "internal/simd/gemm", "internal/simd/isa", "internal/simd/window", "internal/simd/winograd"},
	"internal/simd/interleaved": {"internal/simd/abi", "internal/simd/gemm", "internal/simd/isa", "internal/simd/vec", "internal/simd/window"},
	"internal/simd/simdtest":    {"internal/par", "internal/simd/isa", "internal/simd/window"},
	"internal/serveload":        {},
	"internal/skips":            {},
	"cmd/demo":                  {"..."},
	"examples":                  {},
}

func TestImportsPointOneWay(t *testing.T) {
	root := filepath.Join("..", "..")
	seen := map[string]bool{}
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return skip(root, file)
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		rel, err := filepath.Rel(root, filepath.Dir(file))
		if err != nil {
			return err
		}
		pkg := filepath.ToSlash(rel)
		allowed, known := may[pkg]
		if strings.HasPrefix(pkg, "examples/") {
			return nil
		}
		if !known {
			t.Errorf("package %s is in no row of the table: say what it may import", pkg)
			return fs.SkipDir
		}
		seen[pkg] = true
		for _, imp := range imports(t, file) {
			if !slices.ContainsFunc(allowed, func(a string) bool { return allows(a, imp) }) {
				t.Errorf("%s imports %s, which the table forbids", filepath.ToSlash(file), imp)
			}
		}
		return nil
	})
	require.NoError(t, err)
	for pkg := range may {
		require.True(t, seen[pkg], "package %s of the table does not exist", pkg)
	}
}

// floors are the storeys of the two houses, from the ground up: within each, a package imports only
// what stands on a floor below its own.
var floors = map[string][][]string{
	"internal/simd": {
		{"internal/simd/abi"},
		{"internal/simd/isa"},
		{"internal/simd/window"},
		{"internal/simd/gemm", "internal/simd/pool", "internal/simd/quant", "internal/simd/random", "internal/simd/totals", "internal/simd/vec", "internal/simd/simdtest"},
		{"internal/simd/attention", "internal/simd/conv", "internal/simd/interleaved", "internal/simd/winograd"},
		{"internal/simd/nhwc"},
		{"internal/simd"},
	},
	"engine": {
		{"engine"},
		{"engine/ref"},
		{"engine/cpu", "engine/enginetest", "engine/std"},
	},
}

func TestNoArrowRunsUpInside(t *testing.T) {
	for house, storeys := range floors {
		floor := map[string]int{}
		for i, packages := range storeys {
			for _, p := range packages {
				floor[p] = i + 1
			}
		}
		seen := map[string]bool{}
		walk(t, func(file string) {
			pkg := path.Dir(strings.TrimPrefix(filepath.ToSlash(file), "../../"))
			if pkg != house && !strings.HasPrefix(pkg, house+"/") || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
				return
			}
			seen[pkg] = true
			require.Positive(t, floor[pkg], "package %s stands on no floor of %s", pkg, house)
			for _, imp := range imports(t, file) {
				if at := floor[imp]; at >= floor[pkg] {
					t.Errorf("%s imports %s, which stands no lower", file, imp)
				}
			}
		})
		require.Len(t, seen, len(floor), "%s has floors without a package", house)
	}
}

// A server is in no program that does not ask for one: what trains knows of no browser and no client.
func TestOnlyServersServe(t *testing.T) {
	found := false
	walk(t, func(file string) {
		rel := strings.TrimPrefix(filepath.ToSlash(file), "../../")
		if !strings.HasSuffix(rel, ".go") || strings.HasSuffix(rel, "_test.go") || strings.HasPrefix(rel, "cmd/") || strings.HasPrefix(rel, "examples/") {
			return
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		require.NoError(t, err)
		for _, spec := range f.Imports {
			served := slices.Contains([]string{"net/http", module + "/watch", module + "/serve"}, strings.Trim(spec.Path.Value, `"`))
			require.True(t, !served || slices.Contains([]string{"watch", "serve", "internal/serveload", "interop/onnx/serving"}, path.Dir(rel)), "%s imports %s", rel, spec.Path.Value)
			found = found || served
		}
	})
	require.True(t, found, "watch and serve do")
}

// skip leaves out folders that hold no packages of this module.
func skip(root, dir string) error {
	base := filepath.Base(dir)
	if dir == root {
		return nil
	}
	if strings.HasPrefix(base, ".") || base == "testdata" || base == "runs" {
		return fs.SkipDir
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
		return fs.SkipDir // another module
	}
	return nil
}

// imports returns the packages of ours, relative to the module, and tensor.
func imports(t *testing.T, file string) (paths []string) {
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	require.NoError(t, err)
	for _, spec := range f.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		require.NoError(t, err)
		if ours, ok := strings.CutPrefix(p, module+"/"); ok {
			paths = append(paths, ours)
		} else if p == tensor {
			paths = append(paths, p)
		}
	}
	return paths
}

func allows(pattern, imp string) bool {
	if below, ok := strings.CutSuffix(pattern, "..."); ok {
		return strings.HasPrefix(imp, below)
	}
	return path.Clean(pattern) == imp
}
