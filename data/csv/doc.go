// Package csv reads tables in comma-separated values as datasets or streams: a header that names the columns, some
// of which are the inputs and one or more the target.
//
// Knows data, shape, internal/plain and internal/regular. Never imports graph or an engine.
package csv
