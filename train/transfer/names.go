package transfer

import (
	"strings"

	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train"
)

// wrappers are what wrappers of modules put before names: DataParallel, Lightning and others, torch.compile.
var wrappers = []string{"module.", "model.", "_orig_mod."}

// mapped returns the names of the model for those of the file that are others.
func mapped(names []string, types map[string]shape.Type) map[string]string {
	taken := map[string]bool{}
	for _, name := range names {
		taken[name] = types[name].Valid()
	}
	rename, out := renaming(names, types), map[string]string{}
	for _, name := range names {
		if taken[name] {
			continue
		}
		if as := rename(name); as != name && types[as].Valid() && !taken[as] {
			out[name], taken[as] = as, true
		}
	}
	return out
}

// renaming returns the function that makes names of the model of most of the names.
func renaming(names []string, types map[string]shape.Type) func(string) string {
	unwrapped := func(name string) string { return unwrap(name, types) }
	most := 0
	for _, name := range names {
		if types[unwrapped(name)].Valid() {
			most++
		}
	}
	cut, n, alone := commonest(names, func(rest string) bool { return types[rest].Valid() })
	if n > most && alone {
		return func(name string) string {
			if rest, ok := strings.CutPrefix(name, cut); ok {
				return rest
			}
			return unwrapped(name)
		}
	}
	had := map[string]bool{}
	for _, name := range names {
		had[unwrapped(name)] = true
	}
	var wanted []string
	for name := range types {
		wanted = append(wanted, name)
	}
	if add, n, alone := commonest(wanted, func(rest string) bool { return had[rest] }); n > most && alone {
		return func(name string) string { return add + unwrapped(name) }
	}
	return unwrapped
}

// unwrap cuts what wrappers put before a name, as often as it takes.
func unwrap(name string, types map[string]shape.Type) string {
	rest := name
	for !types[rest].Valid() {
		before := rest
		for _, w := range wrappers {
			rest = strings.TrimPrefix(rest, w)
		}
		if rest == before {
			return name
		}
	}
	return rest
}

// commonest returns the prefix, with a dot at its end, without which most of names are known, and how many; and
// whether it is the only one.
func commonest(names []string, known func(rest string) bool) (prefix string, n int, alone bool) {
	votes := map[string]int{}
	for _, name := range names {
		for i := range len(name) {
			if name[i] == '.' && known(name[i+1:]) {
				votes[name[:i+1]]++
			}
		}
	}
	for p, v := range votes {
		switch {
		case v > n:
			prefix, n, alone = p, v, true
		case v == n:
			alone = false
		}
	}
	return prefix, n, alone
}

// ownNames returns the function that names the values of a checkpoint of this module: those that only training
// needs are left out and, if predictions used moving averages, these are the parameters.
func ownNames(meta map[string]string) (func(string) string, error) {
	training, averaged, err := train.ForTrainingOnly(meta)
	if err != nil {
		return nil, err
	}
	only := map[string]bool{}
	for _, name := range training {
		only[name] = true
	}
	const average = ".ema"
	return func(name string) string {
		of, is := strings.CutSuffix(name, average)
		switch {
		case averaged && is:
			return of
		case averaged && only[name+average], only[name]:
			return ""
		}
		return name
	}, nil
}
