package lecture

import "strings"

// language is a language of which the numbers from 1 to 99 can be written in words.
type language struct {
	name string
	low  []string // from 1 on, as far as they follow no rule
	tens []string // from 10 on
	// join puts a number of two digits together that is not among low.
	join func(l language, tens, unit int) string
}

var languages = []language{
	{"English", words("one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"),
		words("ten twenty thirty forty fifty sixty seventy eighty ninety"),
		func(l language, tens, unit int) string { return l.joined(tens, "-", unit) }},
	{"German", words("eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn achtzehn neunzehn"),
		words("zehn zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig"), german},
	{"French", words("un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize"),
		words("dix vingt trente quarante cinquante soixante soixante quatre-vingt quatre-vingt"), french},
	{"Spanish", words("uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciséis diecisiete dieciocho diecinueve " +
		"veinte veintiuno veintidós veintitrés veinticuatro veinticinco veintiséis veintisiete veintiocho veintinueve"),
		words("diez veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa"),
		func(l language, tens, unit int) string { return l.joined(tens, " y ", unit) }},
	{"Italian", words("uno due tre quattro cinque sei sette otto nove dieci undici dodici tredici quattordici quindici sedici diciassette diciotto diciannove"),
		words("dieci venti trenta quaranta cinquanta sessanta settanta ottanta novanta"), italian},
}

func words(s string) []string { return strings.Fields(s) }

// joined is the usual way: tens, what stands between, units.
func (l language) joined(tens int, between string, unit int) string {
	if unit == 0 {
		return l.tens[tens-1]
	}
	return l.tens[tens-1] + between + l.low[unit-1]
}

// numeral is a number from 1 to 99 in words.
func (l language) numeral(n int) string {
	if n <= len(l.low) {
		return l.low[n-1]
	}
	return l.join(l, n/10, n%10)
}

func german(l language, tens, unit int) string {
	switch unit {
	case 0:
		return l.tens[tens-1]
	case 1:
		return "einund" + l.tens[tens-1]
	}
	return l.low[unit-1] + "und" + l.tens[tens-1]
}

func french(l language, tens, unit int) string {
	word := l.tens[tens-1]
	if tens == 7 || tens == 9 { // seventy is sixty and ten
		unit += 10
	}
	switch {
	case tens == 8 && unit == 0:
		return word + "s"
	case tens < 8 && unit%10 == 1:
		return word + " et " + l.low[unit-1]
	case unit > len(l.low): // dix-sept
		return word + "-" + l.low[9] + "-" + l.low[unit-11]
	}
	return l.joined(tens, "-", unit)
}

func italian(l language, tens, unit int) string {
	word := l.tens[tens-1]
	switch unit {
	case 0:
		return word
	case 1, 8: // of two vowels that meet the first falls away
		word = word[:len(word)-1]
	case 3:
		return word + "tré"
	}
	return word + l.low[unit-1]
}
