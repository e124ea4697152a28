/*
 * test_sealed_file.c - the names of sealed files: one spelling each, there and back.
 */
#include "support.h"

#include <string.h>

#include "handlers/sensor/sealed/sealed_file.h"

static void expect_name(int32_t day, uint64_t sequence, const char *expected)
{
    const struct sealed_file file = {.day = day, .sequence = sequence};
    struct sealed_file back = {.records = 7};
    char name[SEALED_NAME_BYTES];
    sealed_name_format(&file, name);
    assert_string_equal(name, expected);
    assert_true(sealed_name_parse(view_of(name), &back));
    assert_int_equal(back.day, day);
    assert_int_equal(back.sequence, sequence);
    assert_int_equal(back.records, 7);
}

static void names_say_day_and_live_file(void **state)
{
    (void)state;
    expect_name(20345, 7, "sealed/2025/09-14.00000007.bin");
    expect_name(0, 1, "sealed/1970/01-01.00000001.bin");
    expect_name(50902, 123456789, "sealed/2109/05-14.123456789.bin");
    expect_name(11016, UINT64_MAX, "sealed/2000/02-29.18446744073709551615.bin");
    expect_name(SEALED_SUSPECT_DAY, 7, "suspect/00000007.bin");
}

static void every_day_has_a_name(void **state)
{
    (void)state;
    for (int32_t day = 0; day <= 50902; day++) {
        const struct sealed_file file = {.day = day, .sequence = 5};
        struct sealed_file back;
        char name[SEALED_NAME_BYTES];
        sealed_name_format(&file, name);
        assert_true(sealed_name_parse(view_of(name), &back));
        assert_int_equal(back.day, day);
    }
}

static void other_spellings_are_none(void **state)
{
    static const char *const wrong[] = {
        "",
        "sealed/",
        "sealed/2025/09-14.0000007.bin",
        "sealed/2025/09-14.000000007.bin",
        "sealed/2025/09-14.00000007.bin ",
        "sealed/2025/09-14.00000007",
        "sealed/2025/9-14.00000007.bin",
        "sealed/2025/02-29.00000007.bin",
        "sealed/2025/13-01.00000007.bin",
        "sealed/2025/00-01.00000007.bin",
        "sealed/2025/01-00.00000007.bin",
        "sealed/02025/01-01.00000007.bin",
        "sealed/1969/12-31.00000007.bin",
        "sealed/2110/01-01.00000007.bin",
        "sealed/2025/09-14.99999999999999999999.bin",
        "sealed/2025/09-14.-0000007.bin",
        "suspect/0000007.bin",
        "suspect/00000007.bin\n",
        "Suspect/00000007.bin",
        "../suspect/00000007.bin",
        "sealed/2025/../00000007.bin",
    };
    struct sealed_file file;
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (sealed_name_parse(view_of(wrong[i]), &file))
            fail_msg("taken for a name: %s", wrong[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_say_day_and_live_file),
        cmocka_unit_test(every_day_has_a_name),
        cmocka_unit_test(other_spellings_are_none),
    };
    return cmocka_run_group_tests_name("names of sealed files", tests, NULL, NULL);
}
