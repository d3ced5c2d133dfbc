// Package picture decodes pictures, PNG and JPEG, and turns them into inputs: scaled, cropped,
// as intensities. The way has a name, which [data.Preprocess] carries, so that a trained model
// tells how new pictures are to be prepared.
//
// Knows data, shape, internal/regular. Never imports graph or an engine.
package picture
