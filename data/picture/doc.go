// Package picture decodes pictures, PNG, JPEG, WebP, GIF, BMP and TIFF, and turns them into inputs: scaled, cropped, as
// intensities. The conversion has a name, which is part of [data.Preprocess], so that a trained
// model records how new pictures must be prepared.
//
// Knows data, shape, internal/regular, golang.org/x/image. Never imports graph or an engine.
package picture
