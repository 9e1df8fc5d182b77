#!/usr/bin/env python3
"""Turns schemas/*.json into the constant tables of src/doc/schema.h.

    tables.py OUTPUT.c schemas/core.v1.json schemas/...

defaults.json adds the constant defaults that upstream has in Go code, validation.json what its
validation does otherwise than OpenAPI says: the order of an enum's values in messages, the detail
behind `Required value`, members that may be empty ("optional") or that code checks instead. Both
are written by hand.
Runs at build time, with the standard library only. Equal lists, strings and inline schemas are
written once.
"""
import json
import sys

LEAVES = {  # type in the files: (enum schema_type, the definition's OpenAPI name)
    'string': ('STRING', None),
    'bytes': ('BYTES', None),
    'bool': ('BOOL', None),
    'int32': ('INT32', None),
    'int64': ('INT64', None),
    'double': ('DOUBLE', None),
    'quantity': ('QUANTITY', 'io.k8s.apimachinery.pkg.api.resource.Quantity'),
    'time': ('TIME', 'io.k8s.apimachinery.pkg.apis.meta.v1.Time'),
    'microtime': ('MICRO_TIME', 'io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime'),
    'duration': ('DURATION', 'io.k8s.apimachinery.pkg.apis.meta.v1.Duration'),
    'intorstring': ('INT_OR_STRING', 'io.k8s.apimachinery.pkg.util.intstr.IntOrString'),
    'fieldsv1': ('FIELDS_V1', 'io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1'),
    'raw': ('RAW', 'io.k8s.apimachinery.pkg.runtime.RawExtension'),
    'json': ('RAW', 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON'),
}
ONEOF = {
    'oneof-bool:': ('PROPS_OR_BOOL', 'JSONSchemaPropsOrBool'),
    'oneof-array:': ('PROPS_OR_ARRAY', 'JSONSchemaPropsOrArray'),
    'oneof-strings:': ('PROPS_OR_STRINGS', 'JSONSchemaPropsOrStringArray'),
}
LISTS = {'': 'LIST_ATOMIC', 'atomic': 'LIST_ATOMIC', 'set': 'LIST_SET', 'map': 'LIST_MAP'}
MAPS = {'': 'MAP_GRANULAR', 'granular': 'MAP_GRANULAR', 'atomic': 'MAP_ATOMIC'}
PATCHES = {'merge': 'SCHEMA_PATCH_MERGE', 'replace': 'SCHEMA_PATCH_REPLACE',
           'retainKeys': 'SCHEMA_PATCH_RETAIN_KEYS'}


def quote(text):
    if text is None:
        return 'NULL'
    return '"' + text.replace('\\', '\\\\').replace('"', '\\"') + '"'


def compact(value):
    return json.dumps(value, separators=(',', ':'))


class Tables:
    def __init__(self, files):
        self.defs = {}    # name -> {'fields': […], 'map': …}
        self.groups = []  # in discovery order
        self.lists = {}   # tuple of strings -> C name
        self.schemas = {} # type text -> index in the sorted table, or behind it for inline ones
        defaults, validation = {}, {}
        for name in files:
            with open(name, encoding='utf-8') as f:
                content = json.load(f)
            if name.endswith('defaults.json'):
                defaults = content
                continue
            if name.endswith('validation.json'):
                validation = content
                continue
            self.defs.update(content['definitions'])
            if 'group' in content:
                self.groups.append(content)
        self.groups.sort(key=lambda g: g['order'])
        self.merge_defaults(defaults)
        for name, members in validation.items():
            fields = {f['name']: f for f in self.defs[name]['fields']}
            for member, rule in members.items():
                self.merge_rule(fields[member], rule)

    @staticmethod
    def merge_rule(field, rule):
        if 'enum' in rule:
            assert sorted(rule['enum']) == sorted(field['enum'])
            field['enum'] = rule['enum']
        if 'required' in rule:
            field['detail'] = rule['required']
        field['may_be_empty'] = 'optional' in rule or 'code' in rule
        field['open_enum'] = 'code' in rule

    def merge_defaults(self, defaults):
        for name, members in defaults.items():
            fields = {f['name']: f for f in self.defs[name]['fields']}
            for member, value in members.items():
                field = fields[member]
                if isinstance(value, dict) and '$when' in value:
                    field['when'] = value['$when']
                    value = value['$value']
                field['default'] = value

    # --- schemas ---
    def number_schemas(self):
        """Named schemas first, sorted by name; inline ones behind them."""
        used = set(self.defs)
        for d in self.defs.values():
            for field in d['fields']:
                self.collect(field['type'], used)
        named = sorted((self.schema_name(t), t) for t in used if self.schema_name(t))
        inline = sorted(t for t in used if not self.schema_name(t))
        self.named_count = len(named)
        self.order = [t for _, t in named] + inline
        self.schemas = {t: i for i, t in enumerate(self.order)}

    def collect(self, kind, used):
        if kind in used and kind not in self.defs:
            return
        used.add(kind)
        items = self.items(kind)
        if items:
            self.collect(items, used)

    @staticmethod
    def items(kind):
        for prefix in ('[]', 'map:', 'box:', *ONEOF):
            if kind.startswith(prefix):
                return kind[len(prefix):]
        return None

    def schema_name(self, kind):
        if kind in self.defs:
            return kind
        if kind in LEAVES:
            return LEAVES[kind][1]
        for prefix, (_, name) in ONEOF.items():
            if kind.startswith(prefix):
                return kind[len(prefix):].rsplit('.', 1)[0] + '.' + name
        return None

    def ref(self, kind):
        return f'&schemas[{self.schemas[kind]}]'

    def c_type(self, kind):
        if kind in self.defs:
            return 'OBJECT'
        if kind in LEAVES:
            return LEAVES[kind][0]
        for prefix, (c_type, _) in ONEOF.items():
            if kind.startswith(prefix):
                return c_type
        return 'MAP' if kind.startswith('map:') else 'ARRAY'

    def find_defaults(self):
        """The types below which a default is found, by repetition until nothing is added."""
        self.defaulted = set()
        grew = True
        while grew:
            grew = False
            for t in self.order:
                if t in self.defaulted:
                    continue
                if t in self.defs:
                    has = any('default' in f or f['type'] in self.defaulted
                              for f in self.defs[t]['fields'])
                else:
                    has = self.items(t) in self.defaulted
                if has:
                    self.defaulted.add(t)
                    grew = True

    # --- output ---
    def list_of(self, strings):
        key = tuple(strings)
        return self.lists.setdefault(key, f'list{len(self.lists)}')

    def field_text(self, field):
        parts = [f'.name = {quote(field["name"])}', f'.schema = {self.ref(field["type"])}']
        if 'go' in field:
            parts.append(f'.go_type = {quote(field["go"])}')
        if 'default' in field:
            parts.append(f'.default_json = {quote(compact(field["default"]))}')
        if 'when' in field:
            parts.append(f'.default_when = {quote(field["when"])}')
        if field.get('enum'):
            parts.append(f'.enums = {self.list_of(field["enum"])}')
        if field.get('listKeys'):
            parts.append(f'.list_keys = {self.list_of(field["listKeys"])}')
        if 'mergeKey' in field:
            parts.append(f'.merge_key = {quote(field["mergeKey"])}')
        if 'detail' in field:
            parts.append(f'.required_detail = {quote(field["detail"])}')
        if 'proto' in field:
            parts.append(f'.proto = {field["proto"]}')
        parts.append(f'.list = SCHEMA_{self.list_kind(field)}')
        if 'patch' in field:
            parts.append('.patch = ' + ' | '.join(PATCHES[p] for p in field['patch'].split(',')))
        for key, member in (('required', 'required'), ('keep', 'keep_empty'), ('pointer', 'pointer'),
                            ('may_be_empty', 'may_be_empty'), ('open_enum', 'open_enum')):
            if field.get(key):
                parts.append(f'.{member} = true')
        return '{' + ', '.join(parts) + '}'

    def list_kind(self, field):
        kind = field['type']
        if self.c_type(kind) == 'ARRAY':
            return LISTS[field.get('list', '')]
        own = self.defs[kind].get('map', '') if kind in self.defs else ''
        return MAPS[field.get('map', own)]

    def members(self, name, where):
        """(JSON name, index in fields[]) of a definition, embedded structs included."""
        for i, field in enumerate(self.defs[name]['fields']):
            if field['name']:
                yield field['name'], where[name] + i
            else:
                yield from self.members(field['type'], where)

    def write(self, out):
        self.number_schemas()
        self.find_defaults()
        where, count = {}, 0
        for name in self.order:
            if name in self.defs:
                where[name] = count
                count += len(self.defs[name]['fields'])
        fields = [self.field_text(f) for n in self.order if n in self.defs
                  for f in self.defs[n]['fields']]
        kinds = [self.kind_text(g, k) for g in self.groups for k in g['kinds']]

        out.write('/* Made by tools/schema/tables.py from schemas/. */\n#include "doc/schema.h"\n')
        out.write('#include "doc/schema_internal.h"\n\n')
        for strings, name in self.lists.items():
            out.write(f'static const char *const {name}[] = {{')
            out.write(''.join(quote(s) + ', ' for s in strings) + 'NULL};\n')
        out.write(f'\nstatic const struct schema schemas[{len(self.order)}];\n')
        out.write(f'static const struct schema_field fields[{count}] = {{\n')
        out.write(',\n'.join(fields) + '};\n')
        index = {}
        out.write('\nstatic const struct schema_field *const by_name[] = {\n')
        total = 0
        for name in where:
            members = sorted(self.members(name, where))
            index[name] = (total, len(members))
            total += len(members)
            out.write(''.join(f'&fields[{i}],' for _, i in members) + '\n')
        out.write('};\n')
        out.write(f'\nstatic const struct schema schemas[{len(self.order)}] = {{\n')
        for t in self.order:
            out.write(self.schema_text(t, where, index) + ',\n')
        out.write('};\n')
        out.write('\nconst struct schema *const schema_table = schemas;\n')
        out.write(f'const size_t schema_table_count = {self.named_count};\n\n')
        for n, (text, _) in enumerate(kinds):
            out.write(text.replace('$', str(n)))
        out.write('\nconst struct schema_kind schema_kinds[] = {\n')
        for n, (_, text) in enumerate(kinds):
            out.write(text.replace('$', str(n)) + ',\n')
        out.write('{0}};\n')

    def schema_text(self, t, where, index):
        parts = [f'.type = SCHEMA_{self.c_type(t)}']
        name = self.schema_name(t)
        if name:
            parts.insert(0, f'.name = {quote(name)}')
        if t in self.defs:
            d = self.defs[t]
            if d['fields']:
                parts.append(f'.fields = &fields[{where[t]}], .field_count = {len(d["fields"])}')
                parts.append(f'.by_name = &by_name[{index[t][0]}], .by_name_count = {index[t][1]}')
            parts.append(f'.map = SCHEMA_{MAPS[d.get("map", "")]}')
        elif self.items(t):
            parts.append(f'.items = {self.ref(self.items(t))}')
        if t.startswith('box:'):
            parts.append('.boxed = true')
        if t in self.defaulted:
            parts.append('.has_defaults = true')
        return '{' + ', '.join(parts) + '}'

    def kind_text(self, group, kind):
        subs = ''.join(
            f'    {{{quote(s["name"])}, {quote(s["group"])}, {quote(s["version"])}, '
            f'{quote(s["kind"])}, {self.list_of(s["verbs"])}, {self.ref(s["schema"])}}},\n'
            for s in kind.get('subresources', []))
        before = f'static const struct schema_subresource subresources$[] = {{\n{subs}    {{0}}}};\n'
        list_schema = kind['schema'] + 'List'
        list_ref = self.ref(list_schema) if 'listKind' in kind else 'NULL'
        names = [s['name'] for s in kind.get('subresources', [])]
        values = {
            'group': quote(group['group']), 'version': quote(group['version']),
            'kind': quote(kind['kind']), 'list_kind': quote(kind.get('listKind')),
            'resource': quote(kind['resource']), 'singular': quote(kind['singular']),
            'short_names': self.list_of(kind.get('shortNames', [])),
            'categories': self.list_of(kind.get('categories', [])),
            'subresources': self.list_of(names), 'verbs': self.list_of(kind['verbs']),
            'schema': self.ref(kind['schema']), 'list_schema': list_ref,
            'subresource_info': 'subresources$',
            'storage_version_hash': quote(kind.get('storageVersionHash')),
            'namespaced': 'true' if kind['namespaced'] else 'false',
        }
        return before, '{' + ', '.join(f'.{k} = {v}' for k, v in values.items()) + '}'


def main():
    with open(sys.argv[1], 'w', encoding='utf-8') as out:
        Tables(sys.argv[2:]).write(out)


main()
