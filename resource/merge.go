package resource

import "maps"

// merge lays one object over another: what is an object in both is merged key
// by key, anything else is replaced as a whole. Neither is changed.
func merge(under, over object) object {
	out := make(object, len(under)+len(over))
	maps.Copy(out, under)
	for name, v := range over {
		a, below := under[name].(object)
		b, above := v.(object)
		if below && above {
			v = merge(a, b)
		}
		out[name] = v
	}
	return out
}

// given is what one layer says of one resource.
type given struct {
	layer string
	value object
}

// origins says of each value of what the layers make together, by path, which
// layer gave it: the last one that speaks of it.
func origins(layers []given) map[string]string {
	var all object
	for _, l := range layers {
		all = merge(all, l.value)
	}
	out := map[string]string{}
	trace(out, "", all, layers)
	return out
}

func trace(out map[string]string, path string, of object, layers []given) {
	for name, v := range of {
		var saying []given
		for _, l := range layers {
			if said, ok := l.value[name]; ok {
				inner, _ := said.(object)
				saying = append(saying, given{l.layer, inner})
			}
		}
		at := join(path, name)
		if inner, ok := v.(object); ok && len(inner) > 0 {
			trace(out, at, inner, saying)
			continue
		}
		out[at] = saying[len(saying)-1].layer
	}
}
