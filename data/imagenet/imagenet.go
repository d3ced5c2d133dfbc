package imagenet

import (
	_ "embed"
	"strings"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/picture"
	"github.com/plexaura/plexaura/shape"
)

//go:embed classes.txt
var classes string

// Classes returns the 1000 names, such as "tabby, tabby cat"; synonyms are separated by commas.
// Classes 134 and 517 are both "crane", the bird and the machine.
func Classes() []string { return strings.Split(strings.TrimSuffix(classes, "\n"), "\n") }

// Info describes the images that most networks take: float32(3,224,224), prepared as described at
// [picture.ImageNet].
func Info() data.Info {
	return data.Info{
		Input: shape.F32(3, 224, 224), Target: shape.I32(),
		Classes: Classes(), Preprocess: picture.ImageNet(),
	}
}
