"""Policies, templates and environments, from one YAML file that people write.

    grace: 15m                      # work that breaks a new rule has so long before it is suspended

    cluster:
      defaults: {gpu: 0.5}
      rules:
        gpu: {max: 2}
        max_time: {max: 2d}
        idle: {after: 2h, action: suspend, warn: [1h, 110m]}
    departments:
      research:
        rules: {device_models: {options: ["NVIDIA A100*"]}}
    projects:
      vision:
        rules: {gpu: {max: 0.5}}
        kinds:
          workspace: {rules: {idle: {after: 30m, action: release}}}

Each scope may only tighten what the one above it says. Without the file nothing is restricted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, TypeAlias, cast, get_args

from msgspec import Struct

from scheduler_core.errors import InvalidRequest
from scheduler_core.policies.fields import FIELDS, TIME, Field
from scheduler_core.policies.layers import is_option, loosened, policy_of, with_layer
from scheduler_core.policies.policy import ACTIONS, FieldPolicy, IdlePolicy, Layer, Policy, Said, Scope, Source
from scheduler_core.policies.templates import Environment, Template, read_environment, read_template
from scheduler_core.workload import Kind
from scheduler_core.written import Written, WrittenYaml

FILE = "policies.yaml"
Key: TypeAlias = tuple[Scope, str]
_Written: TypeAlias = tuple[Key, list[str], object]
KINDS: tuple[Kind, ...] = get_args(Kind)
_GRACE_S = 900.0


class BadPolicies(InvalidRequest):
    """The file says something that cannot be; the message names the line."""


class Policies(Struct, frozen=True, kw_only=True):
    """All that a file says; work that breaks a rule which came after it has `grace_s` seconds.

    `written` is the file's content, as it stands there.
    """

    layers: Mapping[Key, tuple[Layer, ...]] = {}
    templates: Mapping[str, Template] = {}
    environments: Mapping[str, Environment] = {}
    grace_s: float = _GRACE_S
    written: Mapping[str, Any] = {}

    def of(self, project: str, department: str | None, kind: Kind) -> Policy:
        """What holds for this kind in a project of this department."""
        return policy_of(project, kind, self._layers(project, department, kind))

    def _layers(self, project: str, department: str | None, kind: Kind) -> Iterator[Layer]:
        keys: tuple[Key, ...] = (("cluster", ""), ("department", department or ""), ("project", project))
        for key in keys:
            for layer in self.layers.get(key, ()):
                if layer.source.kind in (None, kind):
                    yield layer


NO_POLICIES = Policies()


class _Settings(Struct, frozen=True, kw_only=True):
    grace: Any = None
    cluster: Any = None
    departments: Any = None
    projects: Any = None
    templates: Any = None
    environments: Any = None


class _Scope(Struct, frozen=True, kw_only=True):
    defaults: Any = None
    rules: Any = None
    kinds: Any = None


class _OfKind(Struct, frozen=True, kw_only=True):
    defaults: Any = None
    rules: Any = None


class _Rule(Struct, frozen=True, kw_only=True):
    min: Any = None
    max: Any = None
    options: Any = None
    required: Any = None


class _Idle(Struct, frozen=True, kw_only=True):
    after: Any = None
    warn: Any = None
    action: Any = None


def parse_policies(text: str, tree: Mapping[str, str | None], name: str = FILE) -> Policies:
    """The policies of a file with this text; `tree` has the department of each project, `name` stands in messages.

    Raises:
        BadPolicies: with the line and why.
    """
    return _Parser(text, tree, name).policies()


class _Parser:
    def __init__(self, text: str, tree: Mapping[str, str | None], name: str) -> None:
        self._written: Written = WrittenYaml(text, name, BadPolicies)
        self._bad = self._written.bad
        self._tree = tree

    def policies(self) -> Policies:
        settings = self._written.fields([], self._written.content, _Settings)
        scopes: list[_Written] = [(("cluster", ""), ["cluster"], settings.cluster)]
        departments = {department for department in self._tree.values() if department is not None}
        scopes += self._named("departments", "department", settings.departments, departments)
        scopes += self._named("projects", "project", settings.projects, self._tree)
        layers = {key: tuple(self._scope(key, path, value)) for key, path, value in scopes}
        policies = Policies(
            layers=layers,
            environments=self._environments(settings.environments),
            templates=self._templates(settings),
            grace_s=_GRACE_S if settings.grace is None else self._time(["grace"], settings.grace),
            written=self._written.content,
        )
        self._check_layers(policies)
        return policies

    def _named(self, word: str, scope: Scope, value: object, known: Collection[str]) -> list[_Written]:
        table = self._written.table([word], value)
        for name in table:
            if name not in known:
                there = ", ".join(sorted(known)) or "none"
                raise self._bad([word, name], f"there is no {scope} {name!r}; there is: {there}")
        return [((scope, name), [word, name], of_it) for name, of_it in table.items()]

    def _scope(self, key: Key, path: list[str], value: object) -> Iterator[Layer]:
        scope = self._written.fields(path, self._written.table(path, value), _Scope)
        yield self._layer(key, None, path, scope.defaults, scope.rules)
        for kind, of_kind in self._written.table([*path, "kinds"], scope.kinds).items():
            where = [*path, "kinds", kind]
            if kind not in KINDS:
                raise self._bad(where, f"{kind!r} is no kind of work; there are {', '.join(KINDS)}")
            part = self._written.fields(where, self._written.table(where, of_kind), _OfKind)
            yield self._layer(key, kind, where, part.defaults, part.rules)

    def _layer(self, key: Key, kind: Kind | None, path: list[str], defaults: object, rules: object) -> Layer:
        source = Source(scope=key[0], name=key[1], kind=kind)
        defaults = self._written.table([*path, "defaults"], defaults)
        rules = dict(self._written.table([*path, "rules"], rules))
        idle = rules.pop("idle", None)
        fields = {}
        for name in dict.fromkeys([*rules, *defaults]):
            where = [*path, "rules" if name in rules else "defaults", name]
            if name not in FIELDS:
                raise self._bad(where, f"{name!r} is no field; there are idle, {', '.join(FIELDS)}")
            of_field = self._field(FIELDS[name], source, [*path, "rules", name], rules.get(name))
            if name in defaults:
                default = self._default(FIELDS[name], source, [*path, "defaults", name], defaults[name])
                of_field = FieldPolicy(**{**_parts(of_field), "default": default})
            fields[name] = of_field
        return Layer(source=source, fields=fields, idle=self._idle(source, [*path, "rules", "idle"], idle))

    def _default(self, field: Field, source: Source, path: list[str], value: object) -> Said:
        if "default" not in field.rules:
            raise self._bad(path, f"{field.name} has no default")
        return self._said(field, source, path, value)

    def _field(self, field: Field, source: Source, path: list[str], value: object) -> FieldPolicy:
        rule = self._written.fields(path, self._written.table(path, value), _Rule)
        said: dict[str, Any] = {}
        for name in _Rule.__struct_fields__:
            given, where = getattr(rule, name), [*path, name]
            if given is None:
                continue
            if name not in field.rules:
                known = ", ".join(sorted(field.rules - {"default"}))
                raise self._bad(where, f"{field.name} has no {name}; there is: {known}")
            if name == "required":
                if not isinstance(given, bool):
                    raise self._bad(where, f"required: true or false, not {given!r}")
                said[name] = self._by(source, where, given)
            elif name == "options":
                said[name] = (self._by(source, where, self._list(field, where, given)),)
            else:
                said[name] = self._said(field, source, where, given)
        return FieldPolicy(**said)

    def _list(self, field: Field, path: list[str], given: object) -> tuple[Any, ...]:
        if not isinstance(given, list) or not given:
            raise self._bad(path, f"options: a list of what is allowed, not {given!r}")
        return tuple(self._read(field, path, one) for one in given)

    def _idle(self, source: Source, path: list[str], value: object) -> IdlePolicy:
        rule = self._written.fields(path, self._written.table(path, value), _Idle)
        said: dict[str, Said] = {}
        if rule.after is not None:
            said["after"] = self._by(source, [*path, "after"], self._time([*path, "after"], rule.after))
        if rule.warn is not None:
            where = [*path, "warn"]
            if not isinstance(rule.warn, list):
                raise self._bad(where, f"warn: a list of times such as [30m, 50m], not {rule.warn!r}")
            times = tuple(self._time(where, one) for one in rule.warn)
            said["warn"] = self._by(source, where, times)
        if rule.action is not None:
            if rule.action not in ACTIONS:
                raise self._bad([*path, "action"], f"action: one of {', '.join(ACTIONS)}, not {rule.action!r}")
            said["action"] = self._by(source, [*path, "action"], rule.action)
        return IdlePolicy(**said)

    def _said(self, field: Field, source: Source, path: list[str], value: object) -> Said:
        return self._by(source, path, self._read(field, path, value))

    def _by(self, source: Source, path: list[str], value: Any) -> Said:
        line = self._written.line_of(path) or 0
        return Said(value=value, source=Source(scope=source.scope, name=source.name, kind=source.kind, line=line))

    def _read(self, field: Field, path: list[str], value: object) -> Any:
        try:
            return field.unit.read(value)
        except ValueError as error:
            raise self._bad(path, f"{field.name}: {error}") from None

    def _time(self, path: list[str], value: object) -> float:
        try:
            return cast(float, TIME.read(value))
        except ValueError as error:
            raise self._bad(path, f"{path[-1]}: {error}") from None

    def _environments(self, value: object) -> dict[str, Environment]:
        table = self._written.table(["environments"], value)
        return {name: read_environment(self._written, ["environments", name], of_it) for name, of_it in table.items()}

    def _templates(self, settings: _Settings) -> dict[str, Template]:
        table = self._written.table(["templates"], settings.templates)
        environments = self._written.table(["environments"], settings.environments)
        found = {}
        for name, of_it in table.items():
            path = ["templates", name]
            found[name] = read_template(self._written, path, of_it)
            environment, project = found[name].environment, found[name].project
            if environment is not None and environment not in environments:
                raise self._bad([*path, "environment"], f"there is no environment {environment!r}")
            if project is not None and project not in self._tree:
                raise self._bad([*path, "project"], f"there is no project {project!r}")
        return found

    def _check_layers(self, policies: Policies) -> None:
        """Refuse what says less than the scopes above it, and defaults that break what holds where they are said."""
        for project, department in self._tree.items():
            for kind in KINDS:
                above = Policy(project=project, kind=kind)
                for layer in policies._layers(project, department, kind):
                    less = loosened(above, layer)
                    if less is not None:
                        raise self._loosened(layer, *less)
                    above = with_layer(above, layer)
                    self._check_defaults(above, layer)

    def _loosened(self, layer: Layer, name: str, rule: str, above: Said) -> InvalidRequest:
        of_name: Any = layer.idle if name == "idle" else layer.fields[name]
        unit = FIELDS[name].unit if name in FIELDS else TIME
        text = str(above.value) if rule in ("action", "required") else unit.text(above.value)
        why = f"{above.source} says {text} on line {above.source.line}, which {layer.source} can only tighten"
        return self._at(getattr(of_name, rule), f"{name}: {rule}: {why}")

    def _check_defaults(self, policy: Policy, layer: Layer) -> None:
        for name, ours in layer.fields.items():
            if ours.default is None:
                continue
            value, holds = cast(float, ours.default.value), policy.fields[name]
            low = holds.min is not None and value < cast(float, holds.min.value)
            high = holds.max is not None and value > cast(float, holds.max.value)
            if low or high or not is_option(value, holds):
                text = FIELDS[name].unit.text(ours.default.value)
                raise self._at(ours.default, f"{name}: the default {text} is not allowed here")

    def _at(self, said: Said, why: str) -> InvalidRequest:
        return BadPolicies(f"{self._written.name}, line {said.source.line}: {why}.")


def _parts(field: FieldPolicy) -> dict[str, Any]:
    return {name: getattr(field, name) for name in FieldPolicy.__struct_fields__}
