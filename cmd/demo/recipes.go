package main

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// trainingRecipe is a model with the flags that train it well.
type trainingRecipe struct {
	flags string // as on a command line
	does  string // what comes of it, as docs/RESULTS.md has it
}

// trainingRecipes are those that -recipe knows by name. docs/RESULTS.md has what each gives.
func trainingRecipes() map[string]trainingRecipe {
	return map[string]trainingRecipe{
		"mnist-fast": {
			"-model lenet -data mnist -batch 128 -epochs 6 -schedule onecycle -lr .07 -decay 1e-3",
			"99 % of MNIST in five seconds on two cores",
		},
		"mnist": {
			"-model mnistnet-dense -data mnist -augment mnist-affine -batch 128 -epochs 7 -schedule onecycle -lr .1 -decay 5e-4",
			"99.5 % of MNIST in less than a minute on two cores",
		},
		"fashion-mnist": {
			"-model mnistnet-wide -data fashion-mnist -augment fashion-mnist -batch 128 -epochs 15 -schedule onecycle -lr .1 -decay 5e-4 -tta all",
			"93 % of Fashion-MNIST in eight minutes on one core, tested on views of each image",
		},
		"cifar10": {
			"-model resnet18-cifar -data cifar10:cifar-10-batches-bin -augment cifar -batch 128 -epochs 30 -schedule onecycle -lr .1 -decay 5e-4",
			"94 % of CIFAR-10 by what others report; not run here",
		},
	}
}

// follow sets the flags of a recipe that are not given, and returns the line that says so.
func (c *call) follow(name string) (line string, err error) {
	if name == "" {
		return "", nil
	}
	r, ok := trainingRecipes()[name]
	if !ok {
		return "", usagef("no recipe %q; there are %s", name, list(trainingRecipes()))
	}
	given := map[string]bool{}
	c.Visit(func(f *flag.Flag) { given[f.Name] = true })
	fields := strings.Fields(r.flags)
	for pair := range slices.Chunk(fields, 2) {
		if flag := strings.TrimPrefix(pair[0], "-"); !given[flag] {
			if err := c.Set(flag, pair[1]); err != nil {
				return "", fmt.Errorf("recipe %s: %s %s: %w", name, pair[0], pair[1], err)
			}
		}
	}
	return fmt.Sprintf("recipe %s, for %s: train %s\n", name, r.does, r.flags), nil
}

// recipeUsage describes the flag -recipe.
func recipeUsage() string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(trainingRecipes())) {
		all = append(all, fmt.Sprintf("%s (%s)", name, trainingRecipes()[name].does))
	}
	return "train by a recipe, whose model and flags are printed; other flags change it: " + strings.Join(all, "; ")
}
