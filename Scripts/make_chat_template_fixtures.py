#!/usr/bin/env python3
"""Writes fixtures/chat/templates.json: chat templates, conversations, and the texts they make.

The templates are written in the manner of the families they are named after; the texts are those
of PyPI jinja2, set up as Hugging Face's `apply_chat_template` does.
Usage: make_chat_template_fixtures.py (needs jinja2).
"""
import datetime
import json
import os
import jinja2
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

HERE = os.path.dirname(os.path.abspath(__file__))

TEMPLATES = {
    "chatml": """{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}""",
    "smollm2": """{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou help.<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}""",
    "llama2": """{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}{% for message in loop_messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Roles must alternate user/assistant') }}{% endif %}{% if loop.index0 == 0 and system_message != false %}{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' '  + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}""",
    "llama3": """{{- bos_token }}
{%- if custom_tools is defined %}
    {%- set tools = custom_tools %}
{%- endif %}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y") %}
    {%- else %}
        {%- set date_string = "26 Jul 2024" %}
    {%- endif %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}

{#- The system message stands apart. #}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}

{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{%- if tools is not none %}
    {{- "Environment: ipython\\n" }}
{%- endif %}
{{- "Today Date: " + date_string + "\\n\\n" }}
{%- if tools is not none %}
    {%- for t in tools %}
        {{- t | tojson(indent=4) }}
        {{- "\\n\\n" }}
    {%- endfor %}
{%- endif %}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}
            {{- raise_exception("This model only supports single tool-calls at once!") }}
        {%- endif %}
        {%- set tool_call = message.tool_calls[0].function %}
        {{- '{"name": "' + tool_call.name + '", ' }}
        {{- '"parameters": ' }}
        {{- tool_call.arguments | tojson }}
        {{- "}<|eot_id|>" }}
    {%- elif message.role == "tool" or message.role == "ipython" %}
        {{- "<|start_header_id|>ipython<|end_header_id|>\\n\\n" }}
        {%- if message.content is mapping or message.content is iterable %}
            {{- message.content | tojson }}
        {%- else %}
            {{- message.content }}
        {%- endif %}
        {{- "<|eot_id|>" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
""".replace("strftime_now }}", "strftime_now %}"),
    "qwen2.5": """{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- if messages[0]['role'] == 'system' %}
        {{- messages[0]['content'] }}
    {%- else %}
        {{- 'You are helpful.' }}
    {%- endif %}
    {{- "\\n\\n# Tools\\n\\n<tools>" }}
    {%- for tool in tools %}
        {{- "\\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- "\\n</tools>{\\"name\\": <function-name>}<|im_end|>\\n" }}
{%- else %}
    {%- if messages[0]['role'] == 'system' %}
        {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}
    {%- else %}
        {{- '<|im_start|>system\\nYou are helpful.<|im_end|>\\n' }}
    {%- endif %}
{%- endif %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) or (message.role == "assistant" and not message.tool_calls) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {{- '<|im_start|>' + message.role }}
        {%- if message.content %}
            {{- '\\n' + message.content }}
        {%- endif %}
        {%- for tool_call in message.tool_calls %}
            {%- if tool_call.function is defined %}
                {%- set tool_call = tool_call.function %}
            {%- endif %}
            {{- '\\n<tool_call>\\n{"name": "' }}
            {{- tool_call.name }}
            {{- '", "arguments": ' }}
            {{- tool_call.arguments | tojson }}
            {{- '}\\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == "tool" %}
        {%- if (loop.index0 == 0) or (messages[loop.index0 - 1].role != "tool") %}
            {{- '<|im_start|>user' }}
        {%- endif %}
        {{- '\\n<tool_response>\\n' }}
        {{- message.content }}
        {{- '\\n</tool_response>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}
            {{- '<|im_end|>\\n' }}
        {%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
""",
    "mistral": """{%- if messages[0]["role"] == "system" %}
    {%- set system_message = messages[0]["content"] %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set loop_messages = messages %}
{%- endif %}
{%- set user_messages = loop_messages | selectattr("role", "equalto", "user") | list %}
{%- set ns = namespace() %}
{%- set ns.index = 0 %}
{%- for message in loop_messages %}
    {%- if message["role"] in ["user", "assistant"] %}
        {%- if (message["role"] == "user") != (ns.index % 2 == 0) %}
            {{- raise_exception("After the optional system message, roles must alternate") }}
        {%- endif %}
        {%- set ns.index = ns.index + 1 %}
    {%- endif %}
{%- endfor %}
{{- bos_token }}
{%- for message in loop_messages %}
    {%- if message["role"] == "user" %}
        {%- if loop.last and system_message is defined %}
            {{- "[INST] " + system_message + "\\n\\n" + message["content"] + "[/INST]" }}
        {%- else %}
            {{- "[INST] " + message["content"] + "[/INST]" }}
        {%- endif %}
    {%- elif message["role"] == "assistant" %}
        {{- " " + message["content"]|trim + eos_token}}
    {%- endif %}
{%- endfor %}
{{- user_messages | length }}
""",
    "olmo2": """{{ bos_token }}{% for message in messages %}{% if message['role'] == 'system' %}{{ '<|system|>\n' + message['content'] + '\n' }}{% elif message['role'] == 'user' %}{{ '<|user|>\n' + message['content'] + '\n' }}{% elif message['role'] == 'assistant' %}{% if not loop.last %}{{ '<|assistant|>\n'  + message['content'] + eos_token + '\n' }}{% else %}{{ '<|assistant|>\n'  + message['content'] + eos_token }}{% endif %}{% endif %}{% if loop.last and add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}{% endfor %}""",
    "whitespace": """  {% if true %}
  a
    {%- if true -%}  b  {%- endif %}
  {# gone #}
\t{{ "c" }}
 {%+ if true %} d
{% endif +%}
e {#- gone -#}   f
  {% set x %}
 block {{ 1 }}
  {% endset %}
[{{ x }}]
{% endif %}

""",
    "expressions": """{{ 1 + 2 * 3 - 4 // 3 % 5 }} {{ 7 / 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 2.0 * 3 }} {{ 1 ~ 'a' ~ none ~ true }}
{{ [1, 'a', "it's", none, 1.5, {'k': [true]}] }} {{ (1, 2) | list }} {{ 'abc'[1:] ~ 'abc'[-1] ~ 'abcdef'[::-2] ~ 'abc'[:-1] }}
{{ 1 < 2 <= 2 and not 3 == 4 }} {{ 'b' in 'abc' }} {{ 'x' not in ['x'] }} {{ 'yes' if 0 else 'no' }} [{{ 'yes' if 0 }}] {{ undefined_name }}
{{ undefined_name | default('d') }} {{ '' | default('e', true) }} {{ 'a-b'.split('-') }} {{ ' a  b '.split() }} {{ 'a,b,c'.split(',', 1) }}
{{ 'Hello World'.upper() }} {{ 'hELLO wORLD' | title }} {{ 'hELLO' | capitalize }} {{ 'xxaxx'.strip('x') }} {{ 'abc'.startswith(('x', 'a')) }} {{ 'abc'.endswith('bc') }}
{{ 'aXbX' | replace('X', '-') }} {{ 'aXbX'.replace('X', '', 1) }} {{ [3, 1, 2] | sort | join(', ') }} {{ [1, 2, 3] | reverse | list }} {{ [1, 1, 2] | unique | list }}
{{ {'b': 1, 'a': 'é"\\n'} | tojson }} {{ {'b': [1, {'c': []}]} | tojson(indent=2) }} {{ 5 is odd }} {{ 6 is divisibleby 3 }} {{ none is none }} {{ 'a' is string and 1 is not string }}
{% for k, v in {'a': 1, 'b': 2}.items() %}{{ loop.index }}/{{ loop.length }}{{ k }}={{ v }}{{ ', ' if not loop.last }}{% endfor %}
{% for i in range(6) if i is even %}{{ loop.index0 }}:{{ i }} {{ loop.previtem }} {% else %}none{% endfor %}{% for i in [] %}x{% else %}none{% endfor %}
{% for i in range(10) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 5 %}{% break %}{% endif %}{{ i }}{% endfor %}
{% set a, b = 1, 2 %}{{ a + b }} {% set ns = namespace(x=1, y='z') %}{% for i in range(3) %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}{{ ns.y }}
{% set q = 5 %}{% for i in range(2) %}{% set q = i %}{% endfor %}{{ q }} {{ {'a': {'b': [10, 20]}}.a.b[1] }} {{ {'a': 1}.get('z', 'dflt') }} {{ messages | map(attribute='role') | join('|') }}
{{ messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | first }} {{ messages | rejectattr('role', '==', 'user') | list | length }} {{ messages[-1].role }} {{ '%d' ~ 3 }} {{ ['a', 'b'] | map('upper') | join }}
{{ 'a\\nb\\n\\nc' | indent(2) }} {{ 3.7 | int }} {{ '12' | int + 1 }} {{ -3 | abs }} {{ "x" * 3 }} {{ [1] + [2] }} {{ 'a' 'b' }} {{ {'a': 1} == {'a': 1.0} }} {{ true + 1 }} {{ 'abc' | length }} {{ 'äß'.upper() }}""",
    "macros": """{%- macro param(name, kind='string', more=none) %}
{{ name }}: {{ kind }}{% if more is not none %} ({{ more }}){% endif %}

{%- endmacro %}
{%- macro tree(value, depth=0) -%}
{%- if value is mapping -%}{% for k, v in value.items() %}<{{ k }}>{{ tree(v, depth + 1) }}</{{ k }}>{% endfor %}
{%- elif value is iterable and value is not string -%}[{% for v in value %}{{ tree(v, depth=depth + 1) }},{% endfor %}]
{%- else -%}{{ value }}@{{ depth }}{%- endif -%}
{%- endmacro -%}
{% set x = 'outer' %}{% macro sees() %}{{ x }}/{{ y }}/{{ messages | length }}{% endmacro %}
{% for x in ['inner'] %}{% set y = 1 %}{{ sees() }}{% endfor %}
{{ param('a') }}{{ param('b', more=3) }}{{ param(kind='int', name='c') }}{{ param() }} {{ tree({'p': [1, {'q': 'z'}], 'r': none}) }}
{% macro wrap(tag) %}<{{ tag }}>{{ caller() }}</{{ tag }}>{% endmacro %}{% call wrap('b') %}in {{ x }}{% endcall %}
{% macro each(list) %}{% for i in list %}{{ caller(i) }};{% endfor %}{% endmacro %}{% call(n) each([1, 2]) %}{{ n * 2 }}{% endcall %}
{{ sees is defined }} {{ nothing is defined }} {{ param is callable }} {% if false %}{{ nothing(1) }}{% endif %}{{ range is defined }} {{ sees() | upper }}
{% if tools %}{% for t in tools %}{{ param(t.function.name, kind=t['type']) }}{% endfor %}{% endif %}""",
    "dates": """{% if strftime_now is defined %}{{ strftime_now('%d %b %Y') }}|{{ strftime_now("%A, %B %-d, %Y; %H:%M:%S %I %p %j %y %a %%") }}|{{ strftime_now('%Y-%m-%d') }}{% endif %}""",
}

CONVERSATIONS = {
    "plain": [{"role": "user", "content": "Hi, who are you? "}],
    "system": [{"role": "system", "content": " Be brief.\n"}, {"role": "user", "content": "2 + 2?"},
               {"role": "assistant", "content": " 4 "}, {"role": "user", "content": "é € 😀 \"quoted\" {{ x }}"}],
    "twice": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}],
    "tools": [{"role": "user", "content": "Weather?"},
              {"role": "assistant", "content": "", "tool_calls": [
                  {"function": {"name": "weather", "arguments": {"place": "Zürich", "days": 2, "exact": True}}}]},
              {"role": "tool", "content": "{\"t\": 21.5}"}, {"role": "assistant", "content": "21.5 °C"}],
}
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"place": None, "list": [1, 2.5]}}}]

REFUSED = [
    "{% include 'x' %}", "{{ x | nosuch }}", "{{ x() | nosuch }}", "{{ 'a'.format(1) }}",
    "{{ x is nosuch }}", "{{ 2 ** 3 }}", "{% for x in y recursive %}{% endfor %}", "{% raw %}x{% endraw %}",
]
MALFORMED = [
    "{{", "{% if x %}", "{{ 1 + }}", "{{ 'a }}", "{% endfor %}", "{% for x y %}{% endfor %}", "{{ (1 }}", "{# x",
    "{{ a b }}", "{% if %}{% endif %}", "{{ [1, }}", "{{ ? }}", "{% set x %}",
]
FAILING = ["{{ a.b.c }}", "{{ 1 + 'a' }}", "{{ 1 // 0 }}", "{% for i in 5 %}{% endfor %}", "{{ 1 < 'a' }}",
           "{% set a, b = [1] %}", "{{ raise_exception('no') }}", "{{ range(1000000) }}",
           "{{ f(1) }}", "{% set f = 1 %}{{ f(1) }}", "{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}",
           "{% macro m(a) %}{% endmacro %}{{ m(b=2) }}", "{% call f() %}{% endcall %}"]


def tojson(x, indent=None, separators=None, ensure_ascii=False, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def main():
    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = datetime.datetime(2026, 3, 7, 14, 5, 9).strftime
    cases = []
    for name, source in TEMPLATES.items():
        template = env.from_string(source)
        for title, messages in CONVERSATIONS.items():
            for prompt in (False, True):
                variables = {"messages": messages, "add_generation_prompt": prompt, "bos_token": "<s>",
                             "eos_token": "</s>"}
                if title == "tools":
                    variables["tools"] = TOOLS
                try:
                    text = template.render(**variables)
                except jinja2.exceptions.TemplateError:
                    text = None
                cases.append({"template": name, "variables": variables, "text": text})
    for source in FAILING:
        try:
            env.from_string(source).render()
            raise SystemExit("does not fail: " + source)
        except (jinja2.exceptions.TemplateError, TypeError, ZeroDivisionError, ValueError, OverflowError):
            pass
    for source in MALFORMED:
        try:
            env.from_string(source)
            raise SystemExit("is well formed: " + source)
        except jinja2.exceptions.TemplateSyntaxError:
            pass
    with open(os.path.join(HERE, "..", "fixtures", "chat", "templates.json"), "w") as out:
        json.dump({"templates": TEMPLATES, "cases": cases, "refused": REFUSED, "malformed": MALFORMED,
                   "failing": FAILING}, out, ensure_ascii=False, indent=1)
    print(len(cases), "cases,", sum(c["text"] is None for c in cases), "refused by their template")


main()
