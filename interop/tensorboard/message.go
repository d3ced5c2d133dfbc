package tensorboard

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// The numbers of the fields that are written, by message.
const (
	eventTime, eventStep, eventVersion, eventGraph, eventSummary, eventSession = 1, 2, 3, 4, 5, 7
	summaryValue                                                               = 1
	valueTag, valueScalar, valueImage, valueHistogram                          = 1, 2, 4, 5
	imageHeight, imageWidth, imageColours, imageData                           = 1, 2, 3, 4
	histMin, histMax, histNum, histSum, histSquares, histLimits, histCounts    = 1, 2, 3, 4, 5, 6, 7
	sessionStatus                                                              = 1
	graphNode, graphVersions                                                   = 1, 4
	nodeName, nodeOp, nodeInput, nodeAttribute                                 = 1, 2, 3, 5
	entryKey, entryValue                                                       = 1, 2
	attributeList, attributeText                                               = 1, 2
	listShape                                                                  = 7
	shapeDim                                                                   = 2
	dimSize                                                                    = 1
	versionsProducer                                                           = 1
)

// sessionStart is the status of a program that begins, or goes on.
const sessionStart = 1

func appendDouble(b []byte, field protowire.Number, v float64) []byte {
	return protowire.AppendFixed64(protowire.AppendTag(b, field, protowire.Fixed64Type), math.Float64bits(v))
}

func appendFloat(b []byte, field protowire.Number, v float64) []byte {
	return protowire.AppendFixed32(protowire.AppendTag(b, field, protowire.Fixed32Type), math.Float32bits(float32(v)))
}

func appendInt(b []byte, field protowire.Number, v int64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), uint64(v))
}

func appendBytes(b []byte, field protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), v)
}

func appendString(b []byte, field protowire.Number, v string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), v)
}

// appendDoubles appends packed numbers.
func appendDoubles(b []byte, field protowire.Number, v []float64) []byte {
	b = protowire.AppendVarint(protowire.AppendTag(b, field, protowire.BytesType), uint64(8*len(v)))
	for _, x := range v {
		b = protowire.AppendFixed64(b, math.Float64bits(x))
	}
	return b
}
