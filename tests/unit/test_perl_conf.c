/* SPDX-License-Identifier: ISC */
/*
 * test_perl_conf - plain assignments of a Perl file are taken, code is only
 * told of, and what is switched off or inside of a block is neither.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cmd/perl_conf.h"

struct told {
	/* "LINE name=value\n", "LINE name!\n" for code, and "LINE?\n" where
	 * reading stopped. */
	char text[2000];
};

static void note(void *ctx, const struct perl_fact *f)
{
	struct told *t = ctx;
	size_t used = strlen(t->text);

	(void)snprintf(t->text + used, sizeof(t->text) - used, "%d %s%s%s\n",
	    f->line, f->name, f->value ? "=" : "!", f->value ? f->value : "");
}

static const char *read_text(const char *text)
{
	static struct told t;

	int line;
	size_t used;

	t.text[0] = '\0';
	line = perl_conf_read(text, strlen(text), note, &t);
	used = strlen(t.text);
	if (line)
		(void)snprintf(
		    t.text + used, sizeof(t.text) - used, "%d?\n", line);
	return t.text;
}

static const struct row {
	const char *text, *told;
} rows[] = {
	{ "", "" },
	{ "use strict;\nuse vars qw(\n $pat\n);\n1;\n", "" },
	{ "$pat = 'a';", "1 pat=a\n" },
	{ "$pat = 'a'", "1 pat=a\n" },
	{ "\n# $pat = 'b';\n$pat='a'; # $pat = 'c';\n", "3 pat=a\n" },
	{ "$pat = '^[LOGTIME] \\S+ ' .\n  'x\\[\\d+\\]: ';\n$grace = 30*60;\n",
	    "1 pat=^[LOGTIME] \\S+ x\\[\\d+\\]: \n3 grace=1800\n" },
	{ "$a = 'it\\'s \\\\ \\d';", "1 a=it's \\ \\d\n" },
	{ "$a = \"x\\\"\\$y\\\\\";", "1 a=x\"$y\\\n" },
	{ "our $a = 5; my $b = -1; $c = 1_000;", "1 a=5\n1 b=-1\n1 c=1000\n" },
	{ "$P = '(\\d+): '; $I = $P . 'from';",
	    "1 P=(\\d+): \n1 I=(\\d+): from\n" },
	{ "$file_tail{'name'} = '/a'; $file_tail{interval} = 1;",
	    "1 file_tail{name}=/a\n1 file_tail{interval}=1\n" },
	{ "%file_tail = (\n name => '/a',\n 'tail' => -1,\n);\n",
	    "1 file_tail{name}=/a\n1 file_tail{tail}=-1\n" },
	{ "$a = q(x y); $b = q{};", "1 a=x y\n1 b=\n" },
	/* Code, and what follows it. */
	{ "$a = \"x$y\"; $b = 1;", "1 a!\n1 b=1\n" },
	{ "$a = \"\\d\";", "1 a!\n" },
	{ "$a = `id`; $b = system('x'); $c = 1 if $d;", "1 a!\n1 b!\n1 c!\n" },
	{ "$a = $b; $a = 'x' . $a;", "1 a!\n1 a!\n" },
	{ "$f = \\&syslog;\n$g = sub { $pat = 'x'; };\n$h = 2;",
	    "1 f!\n2 g!\n3 h=2\n" },
	{ "sub custom_match\n{\n  $pat = 'x';\n  if (/}'/) { }\n}\n$a = 1;",
	    "1 sub custom_match!\n6 a=1\n" },
	{ "if (!-f $x) {\n foreach (qw( /a /b )) {\n $pat = $_;\n }\n}\n$a = "
	  "1;",
	    "1 if!\n6 a=1\n" },
	{ "use Sys::Syslog qw(:DEFAULT);\nopenlog('x');\n",
	    "1 use Sys!\n2 openlog!\n" },
	{ "$h{$k} = '$pat'; $b = 1;", "1 !\n1 b=1\n" },
	{ "$a == 1; $a =~ /x/; $a .= 'x';", "1 a!\n1 a!\n1 a!\n" },
	{ "$a = 010; $b = 0x10; $c = 1.5; $d = 1e9;",
	    "1 a!\n1 b!\n1 c!\n1 d!\n" },
	{ "if (/\"/) { $x = 1; }\n$g = 60; # \"\n", "1 if!\n2 g=60\n" },
	/* Braces and quotes in what quotes, and what looks like it. */
	{ "sub f {\n m/}/;\n $g = 1;\n}\n$b = 2;", "1 sub f!\n5 b=2\n" },
	{ "if ($x =~ /\\}/) {\n $g = 1;\n}\n$b = 2;", "1 if!\n4 b=2\n" },
	{ "if ($x =~ m{^[\\}]{2}$}x) { $g = 1; }\n$b = 2;", "1 if!\n2 b=2\n" },
	{ "sub f { s/{//g; s{ {x} }\n{ {} }e; tr/{}//d; y,},,; $g = 1; }\n$b = "
	  "2;",
	    "1 sub f!\n3 b=2\n" },
	{ "sub f { @x = split /}/, qw({ } }); $g = 1; } $b = 2;",
	    "1 sub f!\n1 b=2\n" },
	{ "sub f($$) { my $n = $$; return \"$n}\" . $' . q#}#; } $b = 2;",
	    "1 sub f!\n1 b=2\n" },
	{ "sub f { g(1);# don't }\n }\n$b = 2;", "1 sub f!\n3 b=2\n" },
	{ "sub f { $n = $#x / 2; $m{y} = -s $n; $o->s; $a{q} / 1 } ",
	    "1 sub f!\n"
	    "1?\n" },
	{ "sub f { $n = $x / 2; %s = (y => 1, 's' => $h[0] / 3); }\n$b = 2;",
	    "1 sub f!\n2 b=2\n" },
	{ "sub f { return 1 << 3 | $x << $y; }\n$b = 2;", "1 sub f!\n2 b=2\n" },
	{ "print 'it is\n$g = 1;\n';\n$b = 2;", "1 print!\n4 b=2\n" },
	{ "$m = \"$x\n$g = 1;\n\";\n$b = 2;", "1 m!\n4 b=2\n" },
	{ "$a = q(a(b); $g = 1;);\n$b = 2;", "1 a!\n2 b=2\n" },
	{ "m/;$g = 1;/;\n$b = 2;", "1 m!\n2 b=2\n" },
	{ "1\n__END__\n.; $g = 1;", "1 !\n" },
	/* What cannot be told ends it, before a text looks like a setting. */
	{ "$a = 1;\nprint <<EOT;\n$g = 864000;\nEOT\n$b = 1;",
	    "1 a=1\n2 print!\n2?\n" },
	{ "$x = << 'EOT';\n$g = 1;\nEOT\n", "1 x!\n1?\n" },
	{ "f(<<~E, 1);\n $g = 1;\n E\n", "1 f!\n1?\n" },
	{ "\nsub f {\n $x = shift / 2; # /;\n}\n$g = 1;", "2 sub f!\n3?\n" },
	{ "$a = 'never closed; $b = 1;", "1 a!\n1?\n" },
	{ "format STDOUT =\n$g = 1;\n.\n", "1 format!\n1?\n" },
	{ "sub f {\n if (1) {\n}\n$g = 1;\n", "1 sub f!\n1?\n" },
	{ "f(1};\n$g = 1;\n", "1 f!\n1?\n" },
	{ "}\n$g = 1;\n", "1 !\n1?\n" },
	{ "f();\n\x1a\n$g = 1;\n", "1 f!\n2 !\n2?\n" },
	/* Switched off. */
	{ "=cut #--- syslog --- START\n$a = 1;\n=cut #--- END\n$b = 2;\n",
	    "4 b=2\n" },
	{ "=head1 X\n$a = 1;\n", "" },
	{ "$a = 1;\n__END__\n$b = 2;\n", "1 a=1\n" },
};

static void test_perl_conf_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		assert_string_equal(read_text(rows[i].text), rows[i].told);
}

static void text_of_first(void *ctx, const struct perl_fact *f)
{
	char *out = ctx;

	if (!*out)
		(void)snprintf(out, 80, "%.*s", (int)f->text_len, f->text);
}

static void test_perl_conf_shows_the_statement(void **state)
{
	static const char text[] = "\n  if (!-f $file_tail{'name'}) {\n }\n";
	char first[80] = "";

	(void)state;
	perl_conf_read(text, strlen(text), text_of_first, first);
	assert_string_equal(first, "if (!-f $file_tail{'name'}) {");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_perl_conf_rows),
		cmocka_unit_test(test_perl_conf_shows_the_statement),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
